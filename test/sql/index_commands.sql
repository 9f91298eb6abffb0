-- The commands of an indexed table, and what vec_stats and vec_jobs tell of it.
.read test/sql/index_rows.inc
-- header on

--# optimize after many deletes: the same rows, fewer cells
DELETE FROM docs WHERE rowid % 4 > 0;
DELETE FROM plain WHERE id % 4 > 0;
CREATE TABLE before AS SELECT (SELECT count(*) FROM docs_cells) AS cells, (SELECT count(*) FROM docs_vectors0) AS vectors;
INSERT INTO docs(docs) VALUES ('optimize');
SELECT (SELECT count(*) FROM docs_cells) < cells AS fewer_cells, (SELECT count(*) FROM docs_vectors0) < vectors AS fewer_vectors FROM before;
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs((SELECT q FROM one)))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest WHERE id % 4 = 0 LIMIT -1));
SELECT count(*) AS differences
FROM (SELECT rowid, vec_to_json(v), user, lang, created, price, title FROM docs EXCEPT SELECT id, vec_to_json(v), user, lang, created, price, title FROM plain);
INSERT INTO docs(docs) VALUES ('integrity-check');
--# a second time there is nothing to do; a command is no row and no change of the application's
INSERT INTO docs(docs) VALUES ('optimize');
SELECT (SELECT count(*) FROM docs) AS row_count, (SELECT max(rowid) FROM docs) AS max_rowid;
INSERT INTO one SELECT q FROM one;
DELETE FROM one WHERE rowid > 1;
INSERT INTO docs(docs) VALUES ('integrity-check');
SELECT last_insert_rowid() AS last;

--# optimize and merge in steps of so many rows: each goes on where the last one stopped
INSERT INTO docs(v, user) SELECT v, 7 FROM plain;
DELETE FROM docs WHERE user = 7 AND rowid % 5 > 0;
INSERT INTO docs(docs, arg) VALUES ('merge', 20);
INSERT INTO docs(docs, arg) VALUES ('optimize', 20);
INSERT INTO docs(docs, arg) VALUES ('optimize', '1000');
INSERT INTO docs(docs) VALUES ('integrity-check');
DELETE FROM docs WHERE user = 7;
--# rebuild
INSERT INTO docs(docs) VALUES ('rebuild');
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs((SELECT q FROM one)))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest WHERE id % 4 = 0 LIMIT -1));
INSERT INTO docs(docs) VALUES ('integrity-check');
--# within a transaction that is rolled back, and of an empty table
BEGIN;
INSERT INTO docs(docs) VALUES ('rebuild');
DELETE FROM docs;
INSERT INTO docs(docs) VALUES ('optimize');
INSERT INTO docs(docs) VALUES ('rebuild');
INSERT INTO docs(docs) VALUES ('integrity-check');
ROLLBACK;
SELECT count(*) AS row_count FROM docs((SELECT q FROM one));
INSERT INTO docs(docs) VALUES ('integrity-check');

--# what is no command, and wrong arguments
INSERT INTO docs(docs) VALUES ('polish');
INSERT INTO docs(docs) VALUES ('');
INSERT INTO docs(docs) VALUES (5);
INSERT INTO docs(docs) VALUES (x'6f7074');
INSERT INTO docs(docs) VALUES ('merge');
INSERT INTO docs(docs, arg) VALUES ('merge', 'some');
INSERT INTO docs(docs, arg) VALUES ('optimize', 0);
INSERT INTO docs(docs, arg) VALUES ('optimize', 1.5);
INSERT INTO docs(docs, arg) VALUES ('optimize', -3);
UPDATE docs SET docs = 'optimize';
SELECT count(*) AS row_count FROM docs;
--# a command takes no values but arg: they would be lost
INSERT INTO docs(docs, v) VALUES ('optimize', '[9]');
INSERT INTO docs(docs, title, arg) VALUES ('optimize', 'a title', 5);
INSERT INTO docs(docs, user) VALUES ('integrity-check', 7);
INSERT INTO docs(docs, rowid) VALUES ('rebuild', 7);
INSERT INTO docs(docs, k) VALUES ('optimize', 7);
INSERT INTO docs(docs, _device) VALUES ('optimize', 'cpu');
INSERT INTO docs(docs, arg, lang) VALUES ('tier', 'cold', 'en');
INSERT INTO docs(docs, arg, user, lang) VALUES ('tier', 'cold', 7, 'en');
INSERT INTO docs(docs, lang) VALUES ('polish', 'en');
--# NULL is none, and OR REPLACE and OR IGNORE make no difference; one that is refused in a transaction leaves it alone
INSERT INTO docs(rowid, v, user, docs, k, arg) VALUES (NULL, NULL, NULL, 'optimize', NULL, NULL);
REPLACE INTO docs(docs) VALUES ('optimize');
BEGIN;
INSERT INTO docs(rowid, v, user) SELECT 100000, q, 77 FROM one;
INSERT OR IGNORE INTO docs(docs, v) VALUES ('optimize', '[9]');
INSERT OR REPLACE INTO docs(docs, v) VALUES ('optimize', '[9]');
SELECT count(*) AS row_count FROM docs WHERE rowid = 100000;
ROLLBACK;
SELECT count(*) AS row_count FROM docs;
--# commands in capitals are the same
INSERT INTO docs(docs) VALUES ('OPTIMIZE');

--# the integrity check names damage in the row table, and DROP works on a damaged table
CREATE VIRTUAL TABLE bad USING vecshard(v float[2], n INTEGER);
INSERT INTO bad(v, n) VALUES ('[1,2]', 1), ('[2,3]', 2);
-- The tables behind an indexed table are not for writing: where SQLITE_DBCONFIG_DEFENSIVE is on, SQLite refuses it.
-- defensive off
DELETE FROM bad_rows WHERE id = 1;
INSERT INTO bad(bad) VALUES ('integrity-check');
DROP TABLE bad;
SELECT count(*) AS left_over FROM sqlite_schema WHERE name LIKE 'bad%';

--# vec_stats: one row for each strategy, with what the codes saved
SELECT vec_config('threads', 1) AS threads;
SELECT count(*) AS row_count FROM docs((SELECT q FROM one), 5);
SELECT target, operation, calls > 0 AS calls, rows_returned > 0 AS returned, rows_scanned > 0 AS scanned, rows_passed_b >= rows_passed_c AS narrowing,
       rows_read >= rows_returned AS reads, fallbacks, rows_skipped
FROM vec_stats WHERE target = 'docs.v' ORDER BY operation, strategy;
CREATE TEMP TABLE calls AS SELECT sum(calls) AS n, sum(rows_returned) AS returned FROM vec_stats WHERE target = 'docs.v' AND operation = 'match';
SELECT count(*) AS row_count FROM docs((SELECT q FROM one), 5);
SELECT sum(s.calls) - n AS calls, sum(rows_returned) - returned AS returned FROM vec_stats AS s, calls WHERE target = 'docs.v' AND operation = 'match';
SELECT count(*) AS row_count FROM vec_search('docs', 'v', (SELECT q FROM one), 4);
SELECT operation, calls, rows_returned FROM vec_stats WHERE target = 'docs.v' AND operation = 'vec_search';
SELECT vec_config('stats', 0) AS stats;
SELECT count(*) AS row_count FROM docs((SELECT q FROM one), 5);
SELECT sum(s.calls) - n AS calls FROM vec_stats AS s, calls WHERE target = 'docs.v' AND operation = 'match';
--# vec_jobs: nothing runs between two statements
SELECT count(*) AS running FROM vec_jobs;
SELECT group_concat(name, ' ') AS columns FROM pragma_table_info('vec_jobs');

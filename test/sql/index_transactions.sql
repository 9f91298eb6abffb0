-- An indexed table follows its connection's transactions and savepoints, and what SQLite does to whole tables and files.
-- header on
CREATE VIRTUAL TABLE t USING vecshard(v float[2], owner INTEGER PARTITION KEY, n INTEGER);
INSERT INTO t(rowid, v, owner, n) VALUES (1, '[1,0]', 1, 10), (2, '[2,0]', 1, 20), (3, '[3,0]', 2, 30);

--# ROLLBACK takes every kind of change back
BEGIN;
INSERT INTO t(rowid, v, owner) VALUES (4, '[0,0]', 3);
UPDATE t SET v = '[9,0]', owner = 2 WHERE rowid = 1;
DELETE FROM t WHERE rowid = 2;
UPDATE t SET rowid = 30 WHERE rowid = 3;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
ROLLBACK;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
SELECT rowid, owner, n FROM t ORDER BY rowid;

--# savepoints, nested; a search between any two of them sees what is there at that moment
BEGIN;
INSERT INTO t(rowid, v) VALUES (5, '[0.5,0]');
SAVEPOINT a;
INSERT INTO t(rowid, v) VALUES (6, '[0.6,0]');
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
SAVEPOINT b;
DELETE FROM t WHERE rowid IN (1, 5);
UPDATE t SET v = '[0.1,0]' WHERE rowid = 3;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
ROLLBACK TO b;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
INSERT INTO t(rowid, v) VALUES (7, '[0.7,0]');
RELEASE b;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
ROLLBACK TO a;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
INSERT INTO t(rowid, v) VALUES (8, '[0.8,0]');
RELEASE a;
COMMIT;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
--# a savepoint outside a transaction is one
SAVEPOINT alone;
DELETE FROM t;
SELECT count(*) AS row_count FROM t('[0,0]');
ROLLBACK TO alone;
RELEASE alone;
SELECT count(*) AS row_count FROM t('[0,0]');

--# a statement that fails within a transaction leaves what was there before it, and the transaction goes on
BEGIN;
INSERT INTO t(rowid, v) VALUES (9, '[0.9,0]');
INSERT INTO t(rowid, v) VALUES (100, '[0,0]'), (101, '[0,1]'), (1, '[0,2]');
INSERT INTO t(rowid, v) VALUES (100, '[0,0,0]');
INSERT INTO t(rowid, v) SELECT 100 + n, v FROM t UNION ALL SELECT 1, '[0,2]';
UPDATE t SET rowid = 200;
INSERT OR REPLACE INTO t(rowid, v) VALUES (1, 'no vector');
SAVEPOINT c;
INSERT INTO t(rowid, v) VALUES (9, '[0.9,0]');
INSERT INTO t(rowid, v) VALUES (10, '[0.95,0]');
INSERT INTO t(rowid, v) VALUES (10, '[0.95,0]');
ROLLBACK TO c;
COMMIT;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
INSERT INTO t(t) VALUES ('integrity-check');
--# a trigger of another table that fails takes its writes here along
CREATE TABLE log(n INTEGER CHECK (n < 5));
CREATE TABLE source(id INTEGER PRIMARY KEY, n INTEGER);
CREATE TRIGGER source_insert AFTER INSERT ON source BEGIN
  INSERT INTO t(rowid, v, n) VALUES (1000 + new.id, json_array(0, new.n), new.n);
  INSERT INTO log VALUES (new.n);
END;
INSERT INTO source VALUES (1, 4), (2, 6);
SELECT (SELECT count(*) FROM t WHERE rowid > 1000) AS here, (SELECT count(*) FROM source) AS there;
INSERT OR FAIL INTO source VALUES (1, 4), (2, 6);
SELECT (SELECT count(*) FROM t WHERE rowid > 1000) AS here, (SELECT count(*) FROM source) AS there;
SELECT last_insert_rowid() AS last;
DELETE FROM t WHERE rowid > 1000;

--# created, filled and dropped in a transaction that is rolled back
BEGIN;
CREATE VIRTUAL TABLE u USING vecshard(v float[2]);
INSERT INTO u(v) VALUES ('[1,1]');
DROP TABLE t;
SELECT count(*) AS row_count FROM u('[1,1]', 5);
ROLLBACK;
SELECT count(*) AS tables FROM sqlite_schema WHERE name LIKE 'u%';
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));

--# RENAME: searches, writes and commands under the new name, none under the old; also rolled back
ALTER TABLE t RENAME TO renamed;
INSERT INTO renamed(rowid, v) VALUES (50, '[0.01,0]');
INSERT INTO renamed(renamed) VALUES ('integrity-check');
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM renamed('[0,0]'));
SELECT count(*) AS row_count FROM t;
SELECT name FROM sqlite_schema WHERE name LIKE 't%' OR name LIKE 'renamed%' ORDER BY name;
BEGIN;
ALTER TABLE renamed RENAME TO other;
DELETE FROM other WHERE rowid = 50;
ROLLBACK;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM renamed('[0,0]'));
ALTER TABLE renamed RENAME TO v;
ALTER TABLE renamed RENAME TO "new 'name'";
SELECT count(*) AS row_count FROM "new 'name'"('[0,0]');
ALTER TABLE "new 'name'" RENAME TO t;
--# VACUUM keeps rowids and places
VACUUM;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
INSERT INTO t(t) VALUES ('integrity-check');

--# temporary tables, in temp's own file
CREATE VIRTUAL TABLE temp.t USING vecshard(v float[2]);
INSERT INTO temp.t(v) VALUES ('[7,7]');
SELECT (SELECT count(*) FROM temp.t('[0,0]')) AS in_temp, (SELECT count(*) FROM main.t('[0,0]')) AS in_main;
SELECT count(*) AS in_main FROM main.sqlite_schema WHERE name LIKE 't\_vectors%' ESCAPE '\';
DROP TABLE temp.t;
SELECT count(*) AS row_count FROM t('[0,0]');

--# an attached database: a table of the same name there is another one, and both take part in a transaction
ATTACH ':memory:' AS side;
CREATE VIRTUAL TABLE side.t USING vecshard(v float[2], n INTEGER);
INSERT INTO side.t(rowid, v) VALUES (1, '[8,8]'), (2, '[9,9]');
INSERT INTO side.t(t) VALUES ('integrity-check');
SELECT (SELECT group_concat(rowid, ' ') FROM side.t('[0,0]')) AS in_side, (SELECT count(*) FROM t('[0,0]')) AS in_main;
BEGIN;
INSERT INTO side.t(rowid, v) SELECT rowid + 100, v FROM main.t;
DELETE FROM main.t;
SELECT (SELECT count(*) FROM side.t('[0,0]')) AS in_side, (SELECT count(*) FROM main.t('[0,0]')) AS in_main;
ROLLBACK;
SELECT (SELECT count(*) FROM side.t('[0,0]')) AS in_side, (SELECT count(*) FROM main.t('[0,0]')) AS in_main;
DETACH side;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
--# DROP takes all of its tables, and the name is free
DROP TABLE t;
SELECT count(*) AS left_over FROM sqlite_schema WHERE name LIKE 't%' OR name LIKE 'vecshard%';
CREATE VIRTUAL TABLE t USING vecshard(v bit[8]);
SELECT count(*) AS row_count FROM t;

--# coded cells: inserts, updates and deletes of hundreds of rows undone
.read test/sql/index_rows.inc
BEGIN;
UPDATE docs SET v = vec_scale(v, 2) WHERE rowid % 2 = 0;
DELETE FROM docs WHERE rowid % 5 = 0;
SAVEPOINT a;
INSERT INTO docs(v, user) SELECT vec_scale(v, 0.9), 9 FROM plain;
SELECT (SELECT count(*) FROM docs((SELECT q FROM one))) AS found, (SELECT count(*) FROM docs) AS row_count;
ROLLBACK TO a;
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs((SELECT q FROM one)))),
     (SELECT group_concat(id || ':' || distance) AS expected
      FROM (SELECT id, vec_distance_l2(CASE WHEN id % 2 = 0 THEN vec_scale(v, 2) ELSE v END, q) AS distance FROM plain, one WHERE id % 5 > 0 ORDER BY 2, 1));
ROLLBACK;
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs((SELECT q FROM one)))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest LIMIT -1));
INSERT INTO docs(docs) VALUES ('integrity-check');

--# two connections: neither sees what the other has not committed, a reader keeps its snapshot, and a rollback is a rollback for both
-- connection one
PRAGMA journal_mode = WAL;
CREATE VIRTUAL TABLE t USING vecshard(v float[2]);
INSERT INTO t(rowid, v) VALUES (1, '[1,0]');
-- connection two
SELECT group_concat(rowid, ' ') AS ids FROM t('[0,0]');
-- connection one
BEGIN;
INSERT INTO t(rowid, v) VALUES (2, '[0,0]');
SELECT group_concat(rowid, ' ') AS ids FROM t('[0,0]');
-- connection two
SELECT group_concat(rowid, ' ') AS ids FROM t('[0,0]');
INSERT INTO t(rowid, v) VALUES (3, '[0,0]');
-- connection one
ROLLBACK;
-- connection two
SELECT group_concat(rowid, ' ') AS ids FROM t('[0,0]');
BEGIN;
SELECT count(*) AS row_count FROM t;
-- connection one
UPDATE t SET v = '[5,0]', rowid = 50;
SELECT rowid, distance FROM t('[0,0]');
-- connection two
SELECT rowid, distance FROM t('[0,0]');
COMMIT;
SELECT rowid, distance FROM t('[0,0]');
--# a table that another connection drops, makes anew with other columns, or renames
-- connection one
DROP TABLE t;
CREATE VIRTUAL TABLE t USING vecshard(w float[3], n INTEGER);
INSERT INTO t(w, n) VALUES ('[1,2,3]', 7);
-- connection two
SELECT rowid, n, distance FROM t('[1,2,3]');
-- connection one
ALTER TABLE t RENAME TO u;
-- connection two
SELECT n, distance FROM u WHERE w MATCH '[1,2,3]';
SELECT n FROM t;

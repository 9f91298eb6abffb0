-- content=: an index over an ordinary table is built from it, follows every write to it, and vec_search uses it by itself.
.read test/sql/index_rows.inc
CREATE TABLE base(id INTEGER PRIMARY KEY, code TEXT UNIQUE, user INTEGER, lang TEXT COLLATE NOCASE, created INTEGER, v BLOB);
INSERT INTO base SELECT id, 'c' || id, user, lang, created, CASE WHEN id % 50 > 0 THEN v END FROM plain;
-- header on

--# before there is an index, a search is a pass
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 10);
CREATE VIRTUAL TABLE idx USING vecshard(v float[512], user INTEGER PARTITION KEY, lang TEXT COLLATE NOCASE, created INTEGER, content=base, content_rowid=id);
SELECT (SELECT count(*) FROM idx) AS indexed, (SELECT count(*) FROM base WHERE v IS NOT NULL) AS vectors;
INSERT INTO idx(idx) VALUES ('integrity-check');
--# and then it goes through the index, and gives what the pass gave
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 10);
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(id || ':' || distance) AS found, count(*) AS row_count FROM (SELECT id, distance FROM vec_search('base', 'v', (SELECT q FROM one), 10))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest WHERE id % 50 > 0 LIMIT 10));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(id || ':' || distance) AS found, count(*) AS row_count FROM (SELECT id, distance FROM vec_search('base', 'v', (SELECT q FROM one)))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest WHERE id % 50 > 0));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(id || ':' || distance) AS found, count(*) AS row_count
      FROM (SELECT id, distance FROM vec_search('base', 'v', (SELECT q FROM one), 7) WHERE id IN (SELECT id FROM base WHERE code LIKE '%3') AND distance > 60)),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest WHERE id % 50 > 0 AND id LIKE '%3' AND distance > 60 LIMIT 7));
--# its own search filters by the columns it was given
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count
      FROM (SELECT rowid, distance FROM idx WHERE v MATCH (SELECT q FROM one) AND k = 9 AND user = 1 AND lang = 'FR' AND created > 2005)),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest WHERE id % 50 > 0 AND user = 1 AND lang = 'fr' AND created > 2005 LIMIT 9));
SELECT group_concat(name, ' ') AS columns FROM pragma_table_info('idx');
SELECT idx.v IS base.v AS same FROM idx JOIN base ON base.id = idx.rowid WHERE idx.rowid = 11;
--# by a metric that the index does not serve, or when told so, it is a pass
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 10, '{"metric":"cosine"}');
SELECT found = expected AS same
FROM (SELECT group_concat(id) AS found FROM (SELECT id FROM vec_search('base', 'v', (SELECT q FROM one), 10, '{"metric":"cosine"}'))),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM plain, one WHERE id % 50 > 0 ORDER BY vec_distance_cosine(v, q), id LIMIT 10));

--# every write to the table: INSERT, UPDATE of vector, key, filter columns and others, vectors to NULL and back, DELETE
INSERT INTO base SELECT id + 1000, 'd' || id, 7, 'de', 1999, vec_scale(v, 1.5) FROM plain WHERE id % 7 = 0;
UPDATE base SET v = vec_scale(v, 0.25) WHERE id % 11 = 0;
UPDATE base SET user = 4, lang = NULL WHERE id % 13 = 0;
UPDATE base SET code = code || '!' WHERE id % 3 = 0;
UPDATE base SET v = NULL WHERE id % 17 = 0;
UPDATE base SET v = (SELECT v FROM plain WHERE id = 9) WHERE id IN (50, 100);
UPDATE base SET id = id + 5000 WHERE id BETWEEN 200 AND 240;
DELETE FROM base WHERE id % 19 = 0;
INSERT OR REPLACE INTO base SELECT id, 'e' || id, 8, 'it', 1998, vec_scale(v, 2) FROM plain WHERE id BETWEEN 300 AND 320;
INSERT OR IGNORE INTO base SELECT id, 'c' || id, 8, 'it', 1998, v FROM plain;
INSERT INTO base(id, code, v) SELECT id, 'f' || id, v FROM plain WHERE id < 40 ON CONFLICT(id) DO UPDATE SET v = vec_scale(excluded.v, 1.1), created = 1;
DELETE FROM base WHERE id = 5210 RETURNING id, code;
SELECT (SELECT count(*) FROM idx) AS indexed, (SELECT count(*) FROM base WHERE v IS NOT NULL) AS vectors;
CREATE TEMP VIEW brute AS SELECT id, user, lang, created, vec_distance_l2(v, q) AS distance FROM base, one WHERE v IS NOT NULL ORDER BY 5, 1;
SELECT found = expected AS same, row_count = (SELECT count(*) FROM brute) AS complete
FROM (SELECT group_concat(id || ':' || distance) AS found, count(*) AS row_count FROM (SELECT id, distance FROM vec_search('base', 'v', (SELECT q FROM one)))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM brute));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count
      FROM (SELECT rowid, distance FROM idx WHERE v MATCH (SELECT q FROM one) AND user IN (4, 7, 8) AND (lang IS NULL OR lang = 'IT') ORDER BY distance LIMIT 9)),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM brute WHERE user IN (4, 7, 8) AND (lang IS NULL OR lang = 'it') LIMIT 9));
SELECT count(*) AS differences FROM (SELECT rowid, user, lang, created, v FROM idx EXCEPT SELECT id, user, lang, created, v FROM base);
INSERT INTO idx(idx) VALUES ('integrity-check');

--# a rollback takes the table and its index back together; changes() and last_insert_rowid() are those of the table
BEGIN;
SELECT count(*) AS row_count FROM base WHERE id > 10;
DELETE FROM base WHERE id > 10;
SELECT changes() AS changes, (SELECT count(*) FROM vec_search('base', 'v', (SELECT q FROM one))) AS found;
INSERT INTO base(id, v) VALUES (777, (SELECT q FROM one));
SELECT changes() AS changes, last_insert_rowid() AS last;
SELECT id, distance FROM vec_search('base', 'v', (SELECT q FROM one), 1);
ROLLBACK;
SELECT found = expected AS same
FROM (SELECT group_concat(id || ':' || distance) AS found FROM (SELECT id, distance FROM vec_search('base', 'v', (SELECT q FROM one), 50))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM brute LIMIT 50));

--# what is no vector of the column is refused at the table, and the row stays as it was
INSERT INTO base(id, v) VALUES (9000, '[1,2,3]');
INSERT INTO base(id, v) VALUES (9000, x'0000c07f');
UPDATE base SET v = 'words' WHERE id = 3;
SELECT count(*) AS there FROM base WHERE id = 9000 OR v = 'words';

--# REPLACE by another UNIQUE column, without recursive_triggers: SQLite tells nobody that row 4 is gone. No search returns it; rebuild forgets it
PRAGMA recursive_triggers = 0;
INSERT OR REPLACE INTO base(id, code, v) VALUES (9001, 'c4', (SELECT q FROM one));
SELECT group_concat(id) AS ids FROM base WHERE id IN (4, 9001);
SELECT found = expected AS same
FROM (SELECT group_concat(id || ':' || distance) AS found FROM (SELECT id, distance FROM vec_search('base', 'v', (SELECT q FROM one)))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM brute));
SELECT found = expected AS same
FROM (SELECT group_concat(id || ':' || distance) AS found FROM (SELECT id, distance FROM vec_search('base', 'v', (SELECT v FROM plain WHERE id = 4), 3))),
     (SELECT group_concat(id || ':' || distance) AS expected
      FROM (SELECT b.id, vec_distance_l2(b.v, p.v) AS distance FROM base AS b, plain AS p WHERE p.id = 4 AND b.v IS NOT NULL ORDER BY 2, 1 LIMIT 3));
INSERT INTO idx(idx) VALUES ('rebuild');
INSERT INTO idx(idx) VALUES ('integrity-check');
SELECT (SELECT count(*) FROM idx) = (SELECT count(*) FROM base WHERE v IS NOT NULL) AS same;
--# with recursive_triggers the index knows at once
PRAGMA recursive_triggers = 1;
INSERT OR REPLACE INTO base(id, code, v) VALUES (9002, 'c8', (SELECT q FROM one));
SELECT (SELECT count(*) FROM idx) = (SELECT count(*) FROM base WHERE v IS NOT NULL) AS same;
INSERT INTO idx(idx) VALUES ('integrity-check');
PRAGMA recursive_triggers = 0;

--# the table renamed, one of its other columns renamed, the index renamed: still one
ALTER TABLE base RENAME TO ground;
EXPLAIN QUERY PLAN SELECT id FROM vec_search('ground', 'v', x'', 10);
INSERT INTO ground(id, v) VALUES (9003, (SELECT vec_scale(q, 1.001) FROM one));
SELECT group_concat(id) AS ids FROM vec_search('ground', 'v', (SELECT q FROM one), 3);
ALTER TABLE ground RENAME COLUMN code TO codename;
ALTER TABLE idx RENAME TO ground_index;
DELETE FROM ground WHERE id = 9003;
SELECT group_concat(id) AS ids FROM vec_search('ground', 'v', (SELECT q FROM one), 2);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('ground', 'v', x'', 10);
INSERT INTO ground_index(ground_index) VALUES ('integrity-check');

--# DROP takes the triggers along, and the table is as it was
SELECT count(*) AS triggers FROM sqlite_schema WHERE type = 'trigger';
DROP TABLE ground_index;
SELECT count(*) AS triggers FROM sqlite_schema WHERE type = 'trigger';
EXPLAIN QUERY PLAN SELECT id FROM vec_search('ground', 'v', x'', 10);
INSERT INTO ground(id, v) VALUES (9004, 'anything');
DELETE FROM ground WHERE id = 9004;

--# two indexes on one table; int8, which has no codes, keeps its vectors
CREATE TABLE small(id INTEGER PRIMARY KEY, name TEXT, a BLOB, b BLOB);
INSERT INTO small(name, a, b) VALUES ('x', vec_f32('[1,0]'), vec_int8('[1,0]')), ('y', vec_f32('[0,2]'), NULL), ('z', NULL, vec_int8('[5,5]'));
CREATE VIRTUAL TABLE small_a USING vecshard(a float[2] distance_metric=l1, name TEXT, content=small);
CREATE VIRTUAL TABLE small_b USING vecshard(b int8[2], content='small', content_rowid='rowid');
SELECT rowid, name, distance FROM small_a('[0,0]');
SELECT rowid, distance FROM small_b(vec_int8('[0,0]'));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('small', 'a', x'', 10, '{"metric":"l1"}');
SELECT id, distance FROM vec_search('small', 'a', '[0,0]', 1, '{"metric":"l1"}');
UPDATE small SET a = b, b = NULL WHERE name = 'z';
UPDATE small SET a = vec_f32('[0,3]'), b = NULL WHERE name = 'z';
SELECT rowid, name, distance FROM small_a('[0,0]');
SELECT rowid, distance FROM small_b(vec_int8('[0,0]'));
--# writes by a foreign key's actions, and a table in temp
PRAGMA foreign_keys = 1;
CREATE TABLE parent(id INTEGER PRIMARY KEY);
CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent(id) ON DELETE CASCADE ON UPDATE CASCADE, v BLOB);
CREATE VIRTUAL TABLE child_index USING vecshard(v float[2], p INTEGER, content=child, content_rowid=id);
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (1, 1, vec_f32('[1,0]')), (2, 2, vec_f32('[2,0]'));
DELETE FROM parent WHERE id = 1;
UPDATE parent SET id = 22;
SELECT rowid, p FROM child_index('[0,0]');
CREATE TEMP TABLE passing(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO passing VALUES (1, vec_f32('[1,1]'));
CREATE VIRTUAL TABLE temp.passing_index USING vecshard(v float[2], content=passing, content_rowid=id);
INSERT INTO passing VALUES (2, vec_f32('[1,0]'));
SELECT id, distance FROM vec_search('passing', 'v', '[0,0]');
CREATE VIRTUAL TABLE main.passing_index USING vecshard(v float[2], content=passing, content_rowid=id);
--# a statement on the table that fails takes its changes of the index back
BEGIN;
INSERT INTO small(name, a) VALUES ('fine', vec_f32('[1,1]')), ('wrong', vec_f32('[1,1,1]'));
INSERT OR IGNORE INTO small(name, a) VALUES ('fine', vec_f32('[1,1]')), ('wrong', vec_f32('[1,1,1]'));
INSERT INTO small(name, a) VALUES ('good', vec_f32('[4,0]'));
COMMIT;
SELECT rowid, name, distance FROM small_a('[0,0]');
--# what cannot be indexed
CREATE VIRTUAL TABLE k1 USING vecshard(v float[2], content=nothing);
CREATE VIEW seen AS SELECT rowid AS id, a FROM small;
CREATE VIRTUAL TABLE k2 USING vecshard(a float[2], content=seen, content_rowid=id);
CREATE VIRTUAL TABLE k3 USING vecshard(v float[512], content=docs);
CREATE VIRTUAL TABLE k4 USING vecshard(w float[2], content=small);
CREATE VIRTUAL TABLE k5 USING vecshard(a float[2], content=small, content_rowid=name);
CREATE VIRTUAL TABLE k6 USING vecshard(a float[3], content=small);
CREATE TABLE bare(v BLOB);
CREATE VIRTUAL TABLE k8 USING vecshard(v float[2], content=bare);
CREATE VIRTUAL TABLE k7 USING vecshard(a float[2], colour TEXT, content=small);
SELECT count(*) AS left_over FROM sqlite_schema WHERE name GLOB 'k[1-8]*';
--# a WITHOUT ROWID table by its INTEGER key, which has to be named
CREATE TABLE keyed(id INTEGER PRIMARY KEY, v BLOB) WITHOUT ROWID;
INSERT INTO keyed VALUES (5, vec_f32('[1,2]')), (6, vec_f32('[1,4]'));
CREATE VIRTUAL TABLE keyed_index USING vecshard(v float[2], content=keyed);
CREATE VIRTUAL TABLE keyed_index USING vecshard(v float[2], content=keyed, content_rowid=id);
INSERT INTO keyed VALUES (7, vec_f32('[1,3]'));
DELETE FROM keyed WHERE id = 6;
UPDATE keyed SET id = 8 WHERE id = 5;
EXPLAIN QUERY PLAN SELECT id FROM vec_search('keyed', 'v', '[1,2]', 2);
SELECT id, distance FROM vec_search('keyed', 'v', '[1,2]', 5);
--# REPLACE by a UNIQUE column where the index keeps the vectors: here, too, no search returns the row that is gone
CREATE TABLE coded(id INTEGER PRIMARY KEY, code TEXT UNIQUE, v BLOB);
INSERT INTO coded VALUES (1, 'a', vec_f32('[1,0]')), (2, 'b', vec_f32('[2,0]'));
CREATE VIRTUAL TABLE coded_index USING vecshard(v float[2], content=coded, content_rowid=id);
INSERT OR REPLACE INTO coded VALUES (3, 'a', vec_f32('[5,0]'));
SELECT id, distance FROM vec_search('coded', 'v', '[0,0]', 5);
SELECT rowid, distance FROM coded_index('[0,0]', 1);
SELECT rowid, distance FROM coded_index('[0,0]');
--# the base table dropped first: the index can still be dropped
DROP VIEW seen;
DROP TABLE small;
DROP TABLE small_a;
DROP TABLE small_b;
SELECT count(*) AS left_over FROM sqlite_schema WHERE name LIKE 'small%';

--# the integrity check compares an index with its table: rows that no trigger saw, triggers that are gone or others
CREATE TABLE watched(id INTEGER PRIMARY KEY, lang TEXT, v BLOB);
INSERT INTO watched VALUES (1, 'en', vec_f32('[1,0]')), (2, 'de', NULL), (3, NULL, vec_f32('[3,0]'));
CREATE VIRTUAL TABLE watched_index USING vecshard(v float[2], lang TEXT, content=watched, content_rowid=id);
INSERT INTO watched_index(watched_index) VALUES ('integrity-check');
DROP TRIGGER watched_index_vecshard_update;
UPDATE watched SET v = vec_f32('[2,0]') WHERE id = 2;
UPDATE watched SET v = NULL WHERE id = 3;
UPDATE watched SET lang = 'fr', v = vec_f32('[1,1]') WHERE id = 1;
INSERT INTO watched_index(watched_index) VALUES ('integrity-check');
DROP TRIGGER watched_index_vecshard_delete;
CREATE TRIGGER watched_index_vecshard_delete AFTER DELETE ON watched BEGIN SELECT 1; END;
INSERT INTO watched_index(watched_index) VALUES ('rebuild');
INSERT INTO watched_index(watched_index) VALUES ('integrity-check');
DROP TRIGGER watched_index_vecshard_insert;
INSERT INTO watched VALUES (4, 'en', vec_f32('[4,0]')), (5, 'en', NULL);
INSERT INTO watched_index(watched_index) VALUES ('integrity-check');
SELECT rowid FROM watched_index('[0,0]');
DROP TRIGGER watched_index_vecshard_delete;
INSERT INTO watched_index(watched_index) VALUES ('integrity-check');
DROP TABLE watched;
DROP TABLE watched_index;
--# a row that a REPLACE removed is one of them
INSERT INTO coded_index(coded_index) VALUES ('integrity-check');
INSERT INTO coded_index(coded_index) VALUES ('rebuild');
INSERT INTO coded_index(coded_index) VALUES ('integrity-check');

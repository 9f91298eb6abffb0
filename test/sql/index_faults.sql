-- Faults that released vector extensions have shown, one short case each: what they do wrong works here.
-- header on
CREATE VIRTUAL TABLE t USING vecshard(v float[2], cat TEXT, n INTEGER, p INTEGER PARTITION KEY);
INSERT INTO t(rowid, v, cat, n, p) VALUES
  (1, '[1,0]', 'ab', 1, 1), (2, '[2,0]', 'b', 2, 1), (3, '[3,0]', 'ac', 3, 2), (4, '[4,0]', NULL, NULL, 3), (5, '[5,0]', 'b', 5, 3);

--# an UPDATE of the key does nothing, and says it did
CREATE VIRTUAL TABLE keyed USING vecshard(id INTEGER PRIMARY KEY, v float[2]);
INSERT INTO keyed VALUES (1, '[1,0]'), (2, '[2,0]');
UPDATE keyed SET id = 9 WHERE id = 1;
SELECT changes() AS changes;
SELECT id, distance FROM keyed('[1,0]');

--# INSERT OR REPLACE and OR IGNORE raise an error
INSERT OR REPLACE INTO keyed VALUES (9, '[0,0]');
INSERT OR IGNORE INTO keyed VALUES (9, '[7,7]');
SELECT id, distance FROM keyed('[0,0]');
CREATE VIRTUAL TABLE named USING vecshard(name TEXT PRIMARY KEY, v float[2]);
INSERT INTO named VALUES ('a', '[1,0]');
INSERT OR REPLACE INTO named VALUES ('a', '[2,0]');
INSERT OR IGNORE INTO named VALUES ('a', '[3,0]');
SELECT name, distance FROM named('[0,0]');

--# OR, and conditions on a joined table, give no rows although there are some
SELECT rowid FROM t WHERE v MATCH '[0,0]' AND (cat = 'zz' OR n = 5) LIMIT 1;
CREATE TABLE likes(id INTEGER PRIMARY KEY, who TEXT);
INSERT INTO likes VALUES (5, 'ann');
SELECT t.rowid FROM t JOIN likes ON likes.id = t.rowid WHERE v MATCH '[0,0]' AND who = 'ann' ORDER BY t.distance LIMIT 1;

--# key IN (a, b) gives k rows for each value
SELECT rowid FROM t WHERE v MATCH '[0,0]' AND k = 1 AND p IN (2, 3);
SELECT count(*) <= 1 AS at_most_k FROM t WHERE v MATCH '[0,0]' AND k = 1 AND (p, n) IN ((1, 1), (1, 2), (2, 3));
SELECT count(*) <= 1 AS at_most_k FROM t WHERE v MATCH '[0,0]' AND k = 1 AND (p, n) IN (SELECT p, n FROM t);

--# LIKE, IS NULL and NULL metadata are errors
SELECT rowid FROM t WHERE v MATCH '[0,0]' AND k = 5 AND cat LIKE 'a%';
SELECT rowid FROM t WHERE v MATCH '[0,0]' AND k = 5 AND cat IS NULL;

--# a vector of NaN, or a zero vector under cosine, comes first with the distance NULL
INSERT INTO t(rowid, v) VALUES (6, x'0000c07f0000c07f');
CREATE VIRTUAL TABLE angles USING vecshard(v float[2] distance_metric=cosine);
INSERT INTO angles(v) VALUES ('[0,0]'), ('[0,1]');
SELECT rowid, distance FROM angles('[1,0]', 5);

--# after a RENAME every query fails
ALTER TABLE named RENAME TO other;
SELECT name, distance FROM other('[0,0]', 1);

--# ORDER BY distance DESC is an error, or left out
SELECT rowid, distance FROM t WHERE v MATCH '[0,0]' AND k = 3 ORDER BY distance DESC;

--# a k above 4,096, and more than 8,192 dimensions, are errors
SELECT count(*) AS row_count FROM t('[0,0]', 1000000);
CREATE VIRTUAL TABLE wide USING vecshard(v float[65536]);
INSERT INTO wide(v) VALUES (zeroblob(262144));
SELECT rowid, distance FROM wide(zeroblob(262144), 1);
DROP TABLE wide;

--# thresholds of the distance are ignored
SELECT group_concat(rowid, ' ') AS ids FROM t('[0,0]') WHERE distance < 3;
SELECT group_concat(rowid, ' ') AS ids FROM t('[0,0]') WHERE distance <= 3;
SELECT group_concat(rowid, ' ') AS ids FROM t('[0,0]') WHERE distance > 3;
SELECT group_concat(rowid, ' ') AS ids FROM t('[0,0]') WHERE distance >= 3;
SELECT group_concat(rowid, ' ') AS ids FROM t('[0,0]', 2) WHERE distance BETWEEN 2 AND 4;

--# rows written after the codes were made are not seen; distances come in units of the codes; a rollback is not followed
CREATE VIRTUAL TABLE coded USING vecshard(v float[512]);
WITH RECURSIVE
  element(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM element WHERE j < 511),
  row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 130)
INSERT INTO coded(rowid, v) SELECT i, (SELECT vec_f32(json_group_array((i * (j * 31 + 7) + j * 29) % 997 / 997.0)) FROM element) FROM row;
SELECT count(*) AS coded_cells FROM coded_codes0;
INSERT INTO coded(rowid, v) SELECT 500, vec_scale(v, 1.0001) FROM coded WHERE rowid = 60;
SELECT rowid, distance = (SELECT vec_distance_l2(a.v, b.v) FROM coded AS a, coded AS b WHERE a.rowid = c.rowid AND b.rowid = 60) AS is_true_distance
FROM coded AS c WHERE v MATCH (SELECT v FROM coded WHERE rowid = 60) AND k = 2;
BEGIN;
INSERT INTO coded(rowid, v) SELECT 600, v FROM coded WHERE rowid = 60;
SAVEPOINT s;
INSERT INTO coded(rowid, v) SELECT 601, v FROM coded WHERE rowid = 60;
SELECT group_concat(rowid, ' ') AS ids FROM coded((SELECT v FROM coded WHERE rowid = 60), 3);
ROLLBACK TO s;
SELECT group_concat(rowid, ' ') AS ids FROM coded((SELECT v FROM coded WHERE rowid = 60), 3);
ROLLBACK;
SELECT group_concat(rowid, ' ') AS ids FROM coded((SELECT v FROM coded WHERE rowid = 60), 3);

--# a query that comes from another row fails
SELECT a.rowid, (SELECT b.rowid FROM t AS b WHERE b.v MATCH a.v AND b.rowid <> a.rowid ORDER BY b.distance LIMIT 1) AS nearest FROM t AS a ORDER BY a.rowid;
SELECT a.rowid, b.rowid AS nearest FROM t AS a JOIN t AS b ON b.v MATCH a.v AND b.k = 1 ORDER BY a.rowid;

--# vectors of a wrong length are passed over in silence
INSERT INTO t(rowid, v) VALUES (7, x'00000000');
SELECT rowid FROM t(x'00000000', 1);

--# internal inserts are seen in changes() and last_insert_rowid()
INSERT INTO t(rowid, v, p) VALUES (70, '[7,0]', 99), (80, '[8,0]', 98);
SELECT changes() AS changes, last_insert_rowid() AS last;

--# deleted vectors stay readable: with secure_delete their bytes are zeros
CREATE VIRTUAL TABLE secret USING vecshard(v float[2]);
INSERT INTO secret(rowid, v) VALUES (1, '[1234.5,5432.1]'), (2, '[1,1]');
SELECT count(*) AS there FROM secret_vectors0 WHERE instr(data, vec_f32('[1234.5,5432.1]')) > 0;
PRAGMA secure_delete = 1;
DELETE FROM secret WHERE rowid = 1;
SELECT count(*) AS there FROM secret_vectors0 WHERE instr(data, vec_f32('[1234.5,5432.1]')) > 0;
PRAGMA secure_delete = 0;

--# the file grows with deletes: slots are used again, and optimize gives space back
CREATE TABLE pages AS SELECT page_count AS n FROM pragma_page_count;
DELETE FROM coded;
INSERT INTO coded(coded) VALUES ('optimize');
SELECT (SELECT count(*) FROM coded_vectors0) AS vectors, (SELECT count(*) FROM coded_codes0) AS codes;
SELECT freelist_count > 50 AS pages_are_free FROM pragma_freelist_count;

--# each partition takes megabytes
CREATE VIRTUAL TABLE tenants USING vecshard(v float[384], tenant INTEGER PARTITION KEY);
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 50) INSERT INTO tenants(v, tenant) SELECT zeroblob(1536), i FROM row;
SELECT sum(length(data)) / 50 < 16000 AS small FROM tenants_vectors0;

--# there is no integrity check
INSERT INTO t(t) VALUES ('integrity-check');
PRAGMA integrity_check;

--# a vector that fails late leaves half a row behind, within BEGIN
CREATE VIRTUAL TABLE pair USING vecshard(a float[2], b float[2], tag TEXT);
BEGIN;
INSERT INTO pair(a, b, tag) VALUES ('[1,1]', '[2,2]', 'good');
INSERT INTO pair(a, b, tag) VALUES ('[3,3]', '[4,4,4]', 'bad');
UPDATE pair SET a = '[5,5]', b = 'x' WHERE tag = 'good';
COMMIT;
SELECT rowid, vec_to_json(a) AS a, vec_to_json(b) AS b, tag FROM pair;
INSERT INTO pair(pair) VALUES ('integrity-check');

--# a rowid that is not there is a crash
SELECT rowid FROM t WHERE rowid = 12345;
DELETE FROM t WHERE rowid = 12345;
UPDATE t SET v = '[1,1]' WHERE rowid = 12345;
SELECT rowid FROM t WHERE v MATCH '[0,0]' AND k = 1 AND rowid = 12345;

--# names are pasted into SQL
CREATE VIRTUAL TABLE "a""b; DROP TABLE t" USING vecshard("v""; --" float[2], "x' OR 1" TEXT);
INSERT INTO "a""b; DROP TABLE t"("v""; --", "x' OR 1") VALUES ('[1,1]', ''' OR 1; --');
SELECT rowid FROM "a""b; DROP TABLE t" WHERE "v""; --" MATCH '[1,1]' AND k = 1 AND "x' OR 1" = ''' OR 1; --';
DROP TABLE "a""b; DROP TABLE t";
SELECT count(*) AS row_count FROM t;

--# the index is many times as large as its vectors: here vectors and codes, at most 1.35 times
CREATE VIRTUAL TABLE filled USING vecshard(v float[768]);
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 256) INSERT INTO filled(v) SELECT zeroblob(3072) FROM row;
SELECT ((SELECT sum(length(data)) FROM filled_vectors0) + (SELECT sum(length(data)) FROM filled_codes0)) / (256 * 3072.0) <= 1.35 AS small, (SELECT count(*) FROM filled_codes0) AS coded_cells;

--# what the CPU runs is unknown: a table tells it
SELECT count(*) > 0 AS told, count(*) = count(level) AS each FROM vec_kernels WHERE operation = 'l2sq' AND element_type = 'float32';

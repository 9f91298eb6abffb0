-- An index that keeps rounded copies of a table's vectors is used only when a search names it, and the plan says so; other searches of the table stay exact.
-- header on
CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO docs VALUES (1, vec_f32('[2049]')), (2, vec_f32('[2048]'));
CREATE VIRTUAL TABLE small USING vecshard(v float[1] store=f16, content=docs, content_rowid=id);

--# by itself: a pass, with the table's own vectors
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'v', '[2048]', 2);
SELECT id, distance FROM vec_search('docs', 'v', '[2048]', 1);
SELECT id, distance FROM vec_search('docs', 'v', '[2048]');
SELECT id, distance FROM vec_search('docs', 'v', '[2048]', 2, '{"type":"float32","metric":"l2sq"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search_batch('docs', 'v', '[[2048]]', 2);
SELECT id, distance FROM vec_search_batch('docs', 'v', '[[2048],[2049]]', 1);
--# named: the distances are those of the copies
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'v', '[2048]', 2, '{"index":"small"}');
SELECT id, distance FROM vec_search('docs', 'v', '[2048]', 2, '{"index":"small"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search_batch('docs', 'v', '[[2048]]', 2, '{"index":"small"}');
SELECT id, distance FROM vec_search_batch('docs', 'v', '[[2048]]', 2, '{"index":"small"}');
--# so they are when the index itself is searched
EXPLAIN QUERY PLAN SELECT id FROM vec_search('small', 'v', '[2048]', 2);
SELECT id, distance FROM vec_search('small', 'v', '[2048]', 2);
SELECT rowid, distance FROM small WHERE v MATCH '[2048]' AND k = 2;
--# an exact one beside it is taken, wherever its name stands
CREATE VIRTUAL TABLE whole USING vecshard(v float[1] distance_metric=dot, content=docs, content_rowid=id);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'v', '[2048]', 2, '{"metric":"l2"}');
SELECT id, distance FROM vec_search('docs', 'v', '[2048]', 2, '{"metric":"l2"}');
--# its metric is the default, not that of the copies
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'v', '[2048]', 2);
--# store=half loses nothing
CREATE TABLE halves(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO halves VALUES (1, vec_f32('[2049,1,1,1,1,1,1,1]')), (2, vec_f32('[2048,1,1,1,1,1,1,1]'));
CREATE VIRTUAL TABLE halves_index USING vecshard(v float[8] store=half, content=halves, content_rowid=id);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('halves', 'v', '[2048,1,1,1,1,1,1,1]', 2);
SELECT id, distance FROM vec_search('halves', 'v', '[2048,1,1,1,1,1,1,1]', 2);

--# a float16 column over float32 vectors keeps copies
CREATE VIRTUAL TABLE wrong USING vecshard(v float16[1], content=docs, content_rowid=id);
DROP TABLE whole;
DROP TABLE small;
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'v', '[2048]', 2);
SELECT id, distance FROM vec_search('docs', 'v', '[2048]', 2);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'v', '[2048]', 2, '{"index":"wrong"}');
SELECT id, distance FROM vec_search('docs', 'v', '[2048]', 2, '{"index":"wrong"}');
SELECT id, distance FROM vec_search('docs', 'v', '[2048]', 2, '{"type":"float16"}');
--# over float16 vectors they are the same, whether the type is given or not; also where the first rows have none
CREATE TABLE true16(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO true16 VALUES (1, NULL), (2, vec_f16('[2049]')), (3, vec_f16('[7]'));
CREATE VIRTUAL TABLE true16_index USING vecshard(v float16[1], content=true16, content_rowid=id);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('true16', 'v', '[2048]', 2);
SELECT id, distance FROM vec_search('true16', 'v', '[2048]', 2);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('true16', 'v', '[2048]', 2, '{"type":"float16"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search('true16', 'v', '[2048]', 2, '{"index":"true16_index"}');
--# text is of the type that the search says, which is float32 unless given
CREATE TABLE texts(id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO texts VALUES (1, '[2049]'), (2, '[2048]');
CREATE VIRTUAL TABLE texts_bf16 USING vecshard(v bfloat16[1], content=texts, content_rowid=id);
CREATE VIRTUAL TABLE texts_f16 USING vecshard(v float16[1], content=texts, content_rowid=id);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('texts', 'v', '[2048]', 2);
SELECT id, distance FROM vec_search('texts', 'v', '[2048]', 2);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('texts', 'v', '[2048]', 2, '{"type":"float16"}');
SELECT id, distance FROM vec_search('texts', 'v', '[2048]', 2, '{"type":"float16"}');
SELECT id, vec_distance_l2(vec_f16(v), vec_f16('[2048]')) AS distance FROM texts ORDER BY 2, 1;
EXPLAIN QUERY PLAN SELECT id FROM vec_search('texts', 'v', '[2048]', 2, '{"index":"texts_bf16"}');
--# int8 and bits do not round: what they cannot hold they refuse
CREATE TABLE bytes(id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO bytes VALUES (1, '[1,2,3]'), (2, '[4,5,6]');
CREATE VIRTUAL TABLE bytes_index USING vecshard(v int8[3], content=bytes, content_rowid=id);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('bytes', 'v', '[1,2,3]', 2);
SELECT id, distance FROM vec_search('bytes', 'v', '[1,2,3]', 2);
INSERT INTO bytes VALUES (3, '[1.5,2,3]');

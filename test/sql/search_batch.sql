-- vec_search_batch gives for each query what vec_search gives for it alone.
CREATE TABLE docs(id INTEGER PRIMARY KEY, embedding BLOB);
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 700)
INSERT INTO docs SELECT i, vec_f32(json_array(i * 37 % 101, i * 53 % 97, i * 71 % 89, i * 11 % 83)) FROM row;
-- header on
EXPLAIN QUERY PLAN SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 3);
SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 3);
SELECT 0 AS query_no, rank, id, distance FROM vec_search('docs', 'embedding', '[50,40,30,20]', 3)
UNION ALL SELECT 1, rank, id, distance FROM vec_search('docs', 'embedding', '[1,2,3,4]', 3);

--# 300 queries, so two passes, against 300 single searches, for every metric
CREATE TABLE queries(no INTEGER PRIMARY KEY, v BLOB);
INSERT INTO queries SELECT id - 1, vec_add(embedding, '[0.5,-3,1,2]') FROM docs WHERE id <= 300;
CREATE TEMP TABLE input AS SELECT json_group_array(json(vec_to_json(v))) AS list FROM (SELECT v FROM queries ORDER BY no);
CREATE TEMP TABLE singles AS
SELECT m.value AS metric, q.no, s.rank, s.id, s.distance
FROM json_each('["l2","l2sq","l1","cosine","dot"]') AS m JOIN queries AS q JOIN vec_search('docs', 'embedding', q.v, 4, json_object('metric', m.value)) AS s;
CREATE TEMP TABLE batches AS
SELECT m.value AS metric, b.query_no AS no, b.rank, b.id, b.distance
FROM json_each('["l2","l2sq","l1","cosine","dot"]') AS m
JOIN vec_search_batch('docs', 'embedding', (SELECT list FROM input), 4, json_object('metric', m.value)) AS b;
SELECT metric, count(*) AS row_count FROM batches GROUP BY metric ORDER BY metric;
SELECT count(*) AS differ FROM (SELECT * FROM singles EXCEPT SELECT * FROM batches);

--# queries as one BLOB, and typed
SELECT query_no, id FROM vec_search_batch('docs', 'embedding', vec_concat(vec_f32('[50,40,30,20]'), vec_f32('[1,2,3,4]')), 1);
--# other element types
CREATE TABLE small(id INTEGER PRIMARY KEY, i8 BLOB, bits BLOB, f16 BLOB);
INSERT INTO small SELECT id, vec_int8(vec_f32(embedding)), vec_quantize_binary(vec_concat(embedding, embedding)), vec_f16(vec_f32(embedding)) FROM docs WHERE id <= 50;
SELECT group_concat(query_no || ':' || id) AS found FROM vec_search_batch('small', 'i8', '[[50,40,30,20],[1,2,3,4]]', 2, '{"type":"int8"}');
SELECT group_concat(query_no || ':' || id) AS found FROM vec_search_batch('small', 'f16', '[[50,40,30,20],[1,2,3,4]]', 2, '{"type":"float16"}');
SELECT group_concat(id) AS expected FROM vec_search('small', 'i8', '[50,40,30,20]', 2, '{"type":"int8"}');
SELECT group_concat(query_no || ':' || id) AS found FROM vec_search_batch('small', 'bits', '[[1,1,1,1,1,1,1,1],[0,0,0,0,0,0,0,0]]', 2, '{"type":"bit"}');

--# joined, ordered and limited
EXPLAIN QUERY PLAN SELECT query_no, rank, id FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 3) ORDER BY query_no, rank;
EXPLAIN QUERY PLAN SELECT query_no, rank, id FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 3) ORDER BY distance;
SELECT query_no, id FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 3) ORDER BY query_no DESC, rank LIMIT 2;
SELECT b.query_no, q.no, b.id FROM vec_search_batch('docs', 'embedding', (SELECT list FROM input), 1) AS b JOIN queries AS q ON q.no = b.query_no WHERE q.no IN (3, 299);

--# conditions on id, distance and rank come before the k nearest of each query, as in vec_search
EXPLAIN QUERY PLAN SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 2) WHERE id IN (3, 4, 5);
SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 2) WHERE id IN (3, 4, 5);
SELECT 0 AS query_no, rank, id, distance FROM vec_search('docs', 'embedding', '[50,40,30,20]', 2) WHERE id IN (3, 4, 5)
UNION ALL SELECT 1, rank, id, distance FROM vec_search('docs', 'embedding', '[1,2,3,4]', 2) WHERE id IN (3, 4, 5);
EXPLAIN QUERY PLAN SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 2) WHERE distance BETWEEN 20 AND 21 AND query_no = 1;
SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 2) WHERE distance BETWEEN 20 AND 30;
SELECT 0 AS query_no, rank, id, distance FROM vec_search('docs', 'embedding', '[50,40,30,20]', 2) WHERE distance BETWEEN 20 AND 30
UNION ALL SELECT 1, rank, id, distance FROM vec_search('docs', 'embedding', '[1,2,3,4]', 2) WHERE distance BETWEEN 20 AND 30;
SELECT query_no, rank, id FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 2) WHERE distance > 20 AND rank < 2;
SELECT count(*) AS row_count FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 2) WHERE distance > NULL;
SELECT count(*) AS differ FROM (
  SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'embedding', (SELECT list FROM input), 4) WHERE id IN (SELECT id FROM docs WHERE id % 7 = 1) AND distance > 15
  EXCEPT SELECT q.no, s.rank, s.id, s.distance FROM queries AS q JOIN vec_search('docs', 'embedding', q.v, 4) AS s WHERE s.id IN (SELECT id FROM docs WHERE id % 7 = 1) AND s.distance > 15);
--# the same through an index over the table, and in a vecshard table
CREATE VIRTUAL TABLE docs_codes USING vecshard(embedding float[4], content=docs);
EXPLAIN QUERY PLAN SELECT id FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 2) WHERE id IN (3, 4, 5) AND distance > 60;
SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 2) WHERE id IN (3, 4, 5) AND distance > 60;
SELECT query_no, rank, id, distance FROM vec_search_batch('docs_codes', 'embedding', '[[50,40,30,20],[1,2,3,4]]', 2) WHERE id IN (3, 4, 5) AND distance > 60;
SELECT 0 AS query_no, rank, id, distance FROM vec_search('docs_codes', 'embedding', '[50,40,30,20]', 2) WHERE id IN (3, 4, 5) AND distance > 60
UNION ALL SELECT 1, rank, id, distance FROM vec_search('docs_codes', 'embedding', '[1,2,3,4]', 2) WHERE id IN (3, 4, 5) AND distance > 60;
DROP TABLE docs_codes;

--# no queries, no rows, k of 0, NULL
SELECT count(*) AS row_count FROM vec_search_batch('docs', 'embedding', '[]', 3);
SELECT count(*) AS row_count FROM vec_search_batch('docs', 'embedding', x'', 3);
SELECT count(*) AS row_count FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4]]', 0);
SELECT count(*) AS row_count FROM vec_search_batch('docs', 'embedding', NULL, 3);
SELECT count(*) AS row_count FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4]]', 5000);
CREATE TABLE hollow(id INTEGER PRIMARY KEY, embedding BLOB);
SELECT count(*) AS row_count FROM vec_search_batch('hollow', 'embedding', '[[1,2,3,4]]', 3);

--# wrong arguments
SELECT * FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4]]');
SELECT * FROM vec_search_batch('docs', 'embedding');
SELECT * FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4]]', NULL);
SELECT * FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4]]', -1);
SELECT * FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4]]', 'many');
SELECT * FROM vec_search_batch('none', 'embedding', '[[1,2,3,4]]', 3);
SELECT * FROM vec_search_batch('docs', 'none', '[[1,2,3,4]]', 3);
SELECT * FROM vec_search_batch('docs', 'embedding', '[1,2,3,4]', 3);
SELECT * FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4],[1,2,3]]', 3);
SELECT * FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4]', 3);
SELECT * FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4]] and more', 3);
SELECT * FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4],[1,2,x,4]]', 3);
SELECT * FROM vec_search_batch('docs', 'embedding', '[[1,2,3]]', 3);
SELECT * FROM vec_search_batch('docs', 'embedding', x'010203', 3);
SELECT * FROM vec_search_batch('docs', 'embedding', x'0000803f0000803f0000803f0000c07f', 3);
SELECT * FROM vec_search_batch('docs', 'embedding', 5, 3);
SELECT * FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4]]', 3, '{"metric":"best"}');
SELECT * FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4]]', 3, '{"index":"none"}');
INSERT INTO docs VALUES (701, x'00');
SELECT * FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4]]', 3);
SELECT group_concat(id) AS ids FROM vec_search_batch('docs', 'embedding', '[[1,2,3,4]]', 3, '{"bad_rows":"skip"}');

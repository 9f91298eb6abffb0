-- NULL, zero and broken vectors: NULL rows are skipped, zero vectors have no cosine, other sizes are errors unless skipped on request.
CREATE TABLE docs(id INTEGER PRIMARY KEY, embedding);
INSERT INTO docs VALUES (1, vec_f32('[1,0]')), (2, NULL), (3, vec_f32('[0,0]')), (4, vec_f32('[0,2]')), (5, '[3, 3]'), (6, vec_f32('[-1,0]'));

--# NULL rows do not count; a vector stored as JSON text is one like any other; a zero vector has an l2 distance
EXPLAIN QUERY PLAN SELECT id, distance FROM vec_search('docs', 'embedding', '[1,0]', 10);
SELECT id, distance FROM vec_search('docs', 'embedding', '[1,0]', 10);
SELECT id, vec_distance_l2(embedding, '[1,0]') AS d FROM docs WHERE d IS NOT NULL ORDER BY d, id;
--# under cosine the zero vector is no result
SELECT id, distance FROM vec_search('docs', 'embedding', '[1,0]', 10, '{"metric":"cosine"}');
SELECT id, vec_distance_cosine(embedding, '[1,0]') AS d FROM docs WHERE d IS NOT NULL ORDER BY d, id;
SELECT id, distance FROM vec_search('docs', 'embedding', '[1,0]', 10, '{"metric":"dot"}');
--# a zero query has no direction either, and is near to nothing under cosine
SELECT count(*) FROM vec_search('docs', 'embedding', '[0,0]', 10, '{"metric":"cosine"}');
SELECT id, distance FROM vec_search('docs', 'embedding', '[0,0]', 2);
--# nothing is near to NULL
SELECT count(*) FROM vec_search('docs', 'embedding', NULL, 10);
SELECT count(*) FROM vec_search('docs', 'embedding', (SELECT embedding FROM docs WHERE id = 2));
--# a table of NULLs
CREATE TABLE blank(id INTEGER PRIMARY KEY, embedding);
INSERT INTO blank VALUES (1, NULL), (2, NULL);
SELECT count(*) FROM vec_search('blank', 'embedding', '[1,2]', 3);

--# a vector of another size ends the search and names its row
INSERT INTO docs VALUES (7, vec_f32('[1,2,3]'));
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 10);
DELETE FROM docs WHERE id = 7;
--# a BLOB that is no vector, a number, text that is no vector
INSERT INTO docs VALUES (7, x'010203');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 10);
REPLACE INTO docs VALUES (7, 42);
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 10);
REPLACE INTO docs VALUES (7, 'no vector');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 10);
REPLACE INTO docs VALUES (7, x'');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 10);
--# NaN and infinity in a row
REPLACE INTO docs VALUES (7, x'0000c07f00000000');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 10);
REPLACE INTO docs VALUES (7, x'000000000000807f');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 10, '{"metric":"cosine"}');
--# a search that is restricted to other rows does not meet it
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 10) WHERE id IN (1, 4);

--# "bad_rows":"skip" passes over all of them, and vec_stats counts them
INSERT INTO docs VALUES (8, x'010203'), (9, 42), (10, vec_f32('[1,2,3]'));
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[1,0]', 10, '{"bad_rows":"skip"}');
SELECT max(rows_skipped) >= 4 FROM vec_stats;
--# and "error", the default, can be said
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 10, '{"bad_rows":"error"}');

-- A partial index that the options name makes the search exactly that of the rows it holds.
CREATE TABLE docs(id INTEGER PRIMARY KEY, metadata TEXT, embedding BLOB);
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 2000)
INSERT INTO docs SELECT i, json_object('confidence', (i * 37 % 100) / 100.0), vec_f32(json_array(i * 37 % 101, i * 53 % 97, i * 71 % 89)) FROM row;
CREATE INDEX docs_sure ON docs(id) WHERE json_extract(metadata, '$.confidence') > 0.8;
CREATE TEMP TABLE truth AS
SELECT row_number() OVER (ORDER BY vec_distance_l2(embedding, '[50,40,30]'), id) AS place, id FROM docs WHERE json_extract(metadata, '$.confidence') > 0.8;

EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]', 6, '{"index":"docs_sure"}');
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[50,40,30]', 6, '{"index":"docs_sure"}');
SELECT group_concat(id) FROM truth WHERE place <= 6;
--# all of it, as a stream
SELECT count(*), (SELECT count(*) FROM truth) FROM vec_search('docs', 'embedding', '[50,40,30]', NULL, '{"index":"docs_sure"}') AS s JOIN truth AS t ON t.place = s.rank AND t.id = s.id;
--# with a list of ids, only the rows that are in both
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[50,40,30]', 6, '{"index":"docs_sure"}') WHERE id IN (SELECT id FROM docs WHERE id % 2);
SELECT group_concat(id) FROM (SELECT id FROM truth WHERE id % 2 ORDER BY place LIMIT 6);
--# in a batch
EXPLAIN QUERY PLAN SELECT id FROM vec_search_batch('docs', 'embedding', '[[50,40,30]]', 6, '{"index":"docs_sure"}');
SELECT group_concat(id) FROM vec_search_batch('docs', 'embedding', '[[50,40,30]]', 6, '{"index":"docs_sure"}');
--# rows come into it and leave it as they change
UPDATE docs SET metadata = '{"confidence":0.1}' WHERE id = (SELECT id FROM truth WHERE place = 1);
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[50,40,30]', 3, '{"index":"docs_sure"}');
SELECT group_concat(id) FROM truth WHERE place BETWEEN 2 AND 4;

--# the same rows through SQLite: id IN (SELECT ...) with the predicate of the index, which SQLite then uses
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id IN (SELECT id FROM docs WHERE json_extract(metadata, '$.confidence') > 0.8);
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id IN (SELECT id FROM docs WHERE json_extract(metadata, '$.confidence') > 0.8);

--# unnamed, a partial index is never used, because it lacks rows; also one on the norm
CREATE INDEX docs_sure_norm ON docs(vec_norm(embedding)) WHERE json_extract(metadata, '$.confidence') > 0.8;
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]', 3);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]', 3, '{"index":"docs_sure_norm"}');
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[50,40,30]', 3, '{"index":"docs_sure_norm"}');
--# a whole index that is named is read whole
CREATE INDEX docs_meta ON docs(metadata);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]', 3, '{"index":"docs_meta"}');
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[50,40,30]', 3, '{"index":"docs_meta"}');
SELECT group_concat(id) FROM (SELECT id FROM docs ORDER BY vec_distance_l2(embedding, '[50,40,30]'), id LIMIT 3);
--# a predicate that holds no row
CREATE INDEX docs_none ON docs(id) WHERE metadata IS NULL;
SELECT count(*) FROM vec_search('docs', 'embedding', '[50,40,30]', 3, '{"index":"docs_none"}');
--# predicates with comments, quotes and operators
CREATE INDEX docs_arrow ON docs(id) WHERE metadata ->> 'confidence' > 0.95 /* the surest */ AND metadata <> ') --';
SELECT count(*), (SELECT count(*) FROM docs WHERE metadata ->> 'confidence' > 0.95) FROM vec_search('docs', 'embedding', '[50,40,30]', NULL, '{"index":"docs_arrow"}');

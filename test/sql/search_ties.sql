-- Equal distances are ordered by rowid, for every k, batch and strategy.
CREATE TABLE docs(id INTEGER PRIMARY KEY, embedding BLOB);
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 500)
INSERT INTO docs SELECT (i * 7919) % 500 + 1, vec_f32(json_array(i % 4, 1)) FROM row;
CREATE TEMP TABLE truth AS SELECT row_number() OVER (ORDER BY vec_distance_l2(embedding, '[0,1]'), id) AS place, id FROM docs;

EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[0,1]', 6);
SELECT id, distance FROM vec_search('docs', 'embedding', '[0,1]', 6);
SELECT group_concat(id) FROM (SELECT id FROM truth ORDER BY place LIMIT 6);
--# the whole stream, in batches that end among equals
SELECT count(*) FROM vec_search('docs', 'embedding', '[0,1]') s JOIN truth t ON t.place = s.rank AND t.id = s.id;
--# k through the middle of equals
SELECT max(id) FROM vec_search('docs', 'embedding', '[0,1]', 100);
SELECT max(id) FROM truth WHERE place <= 100;
--# through a norm index, walked in the order of norms
CREATE INDEX docs_norm ON docs(vec_norm(embedding));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[0,1]', 6, '{"index":"docs_norm"}');
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[0,1]', 6, '{"index":"docs_norm"}');
SELECT count(*) FROM vec_search('docs', 'embedding', '[0,1]', 300, '{"index":"docs_norm"}') s JOIN truth t ON t.place = s.rank AND t.id = s.id;
--# in a batch
SELECT group_concat(id) FROM vec_search_batch('docs', 'embedding', '[[0,1],[0,1]]', 6) WHERE query_no = 1;
--# from a list of ids that is not in order
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[0,1]', 3) WHERE id IN (SELECT id FROM truth WHERE place <= 50 ORDER BY id DESC);

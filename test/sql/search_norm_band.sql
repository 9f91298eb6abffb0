-- A norm band is applied only when asked for, is marked approximate, and keeps the rows whose norm is within (1 +- w)|q|.
CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB);
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 1000)
INSERT INTO docs SELECT i, vec_scale(vec_f32(json_array(i * 37 % 101 - 50, i * 53 % 97 - 48, i * 71 % 89 - 44)), (1 + i % 10) / 8.0) FROM row;
CREATE TEMP VIEW banded AS
SELECT id, vec_distance_cosine(v, '[30,-20,10]') AS distance FROM docs
WHERE vec_norm(v) BETWEEN 0.8 * vec_norm('[30,-20,10]') AND 1.2 * vec_norm('[30,-20,10]') AND distance IS NOT NULL ORDER BY distance, id;

--# without an index: a pass that leaves out rows by their norm
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'v', '[30,-20,10]', 6, '{"metric":"cosine","norm_band":0.2}');
SELECT group_concat(id) FROM vec_search('docs', 'v', '[30,-20,10]', 6, '{"metric":"cosine","norm_band":0.2}');
SELECT group_concat(id) FROM (SELECT id FROM banded LIMIT 6);
--# with one: only the band is read
CREATE INDEX docs_norm ON docs(vec_norm(v));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'v', '[30,-20,10]', 6, '{"metric":"cosine","norm_band":0.02}');
SELECT group_concat(id) FROM vec_search('docs', 'v', '[30,-20,10]', 6, '{"metric":"cosine","norm_band":0.2}');
SELECT count(*), (SELECT count(*) FROM banded) FROM vec_search('docs', 'v', '[30,-20,10]', NULL, '{"metric":"cosine","norm_band":0.2}');
--# for l2 it holds the band too
SELECT count(*), (SELECT count(*) FROM banded) FROM vec_search('docs', 'v', '[30,-20,10]', NULL, '{"metric":"l2","norm_band":0.2}');
--# in a batch
SELECT group_concat(id) FROM vec_search_batch('docs', 'v', '[[30,-20,10]]', 6, '{"metric":"cosine","norm_band":0.2}');
--# it can lose the best answers: without it these come first
SELECT group_concat(id) FROM vec_search('docs', 'v', '[30,-20,10]', 6, '{"metric":"cosine"}');
--# a width of 0 keeps the exact norm, a wide one everything but what has no cosine
SELECT count(*) FROM vec_search('docs', 'v', '[30,-20,10]', NULL, '{"metric":"cosine","norm_band":0}');
SELECT count(*) FROM vec_search('docs', 'v', '[30,-20,10]', NULL, '{"metric":"cosine","norm_band":1000}');

--# vec_norm_selectivity tells beforehand, from a sample, which share of the rows a band keeps
SELECT vec_norm_selectivity('docs', 'v', '[30,-20,10]', 0), vec_norm_selectivity('docs', 'v', '[30,-20,10]', 1000);
SELECT abs(vec_norm_selectivity('docs', 'v', '[30,-20,10]', 0.2) - (SELECT count(*) FROM banded) / 1000.0) < 0.1 AS is_near;
SELECT vec_norm_selectivity('docs', 'v', '[30,-20,10]', NULL) IS NULL;
SELECT vec_norm_selectivity('docs', 'v', '[30,-20]', 0.2);
SELECT vec_norm_selectivity('docs', 'v', '[30,-20,10]', -1);
SELECT vec_norm_selectivity('docs', 'v', '[30,-20,10]', 'wide');
SELECT vec_norm_selectivity('none', 'v', '[30,-20,10]', 1);
SELECT vec_norm_selectivity('docs', 'w', '[30,-20,10]', 1);
SELECT vec_norm_selectivity('docs', 'v', vec_bit('[1,0,1,0,1,0,1,0]'), 1);

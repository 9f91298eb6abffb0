-- An index on vec_norm(column) is used by cost for l2 and dot, in every spelling, and never changes an answer.
CREATE TABLE items(id INTEGER PRIMARY KEY, kind TEXT, v BLOB);
-- Lengths differ much: a few long vectors, many short ones; directions are spread.
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 3000),
  axis(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM axis WHERE j < 7)
INSERT INTO items
SELECT i, CASE i % 7 WHEN 0 THEN 'rare' ELSE 'common' END,
       vec_scale((SELECT vec_f32('[' || group_concat((i * 40503 + j * 30011 + i * j * 7919) % 10007 - 5003) || ']') FROM axis), 1.0 / (1 + i * 1009 % 3001))
FROM row;
CREATE TEMP TABLE query(v BLOB);
INSERT INTO query VALUES (vec_f32('[3,-1,4,1,-5,9,2,-6]'));
CREATE TEMP TABLE truth AS SELECT row_number() OVER (ORDER BY vec_distance_dot(i.v, q.v), id) AS place, id, vec_distance_dot(i.v, q.v) AS distance FROM items AS i, query AS q;
CREATE TEMP VIEW agree AS
SELECT count(*) AS rows_of_20 FROM vec_search('items', 'v', (SELECT v FROM query), 20, '{"metric":"dot"}') AS s
JOIN truth AS t ON t.place = s.rank AND t.id = s.id AND t.distance = s.distance;

--# without an index
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), 20, '{"metric":"dot"}');
SELECT * FROM agree;

--# expression index
CREATE INDEX items_norm ON items(vec_norm(v));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), 20, '{"metric":"dot"}');
SELECT * FROM agree;
--# the stream too, to its end
SELECT count(*) FROM vec_search('items', 'v', (SELECT v FROM query), NULL, '{"metric":"dot"}') AS s JOIN truth AS t ON t.place = s.rank AND t.id = s.id;
--# with a range
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), NULL, '{"metric":"dot"}') WHERE distance < -500;
SELECT count(*), (SELECT count(*) FROM truth WHERE distance < -500) FROM vec_search('items', 'v', (SELECT v FROM query), NULL, '{"metric":"dot"}') WHERE distance < -500;
--# with a list of ids: the list decides
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), 5, '{"metric":"dot"}') WHERE id IN (SELECT id FROM items WHERE kind = 'rare');
SELECT group_concat(id) FROM vec_search('items', 'v', (SELECT v FROM query), 5, '{"metric":"dot"}') WHERE id IN (SELECT id FROM items WHERE kind = 'rare');
SELECT group_concat(id) FROM (SELECT t.id FROM truth AS t JOIN items AS i ON i.id = t.id WHERE i.kind = 'rare' ORDER BY place LIMIT 5);
--# changes are seen, through the index, in the same transaction
BEGIN;
INSERT INTO items VALUES (9001, 'new', vec_f32('[3000,-1000,4000,1000,-5000,9000,2000,-6000]'));
SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), 1, '{"metric":"dot"}');
ROLLBACK;
SELECT count(*) FROM vec_search('items', 'v', (SELECT v FROM query), 1, '{"metric":"dot"}') WHERE id = 9001;
--# cosine, l1 and other element types do not use it
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), 5, '{"metric":"cosine"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), 5, '{"metric":"l1"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', vec_f16('[1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8]'), 5, '{"metric":"dot","type":"float16"}');
--# it can be turned off for a connection, and the search says so
SELECT vec_config('norm_index', 'off');
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), 20, '{"metric":"dot"}');
SELECT * FROM agree;
SELECT vec_config('norm_index', 'auto');
--# NULL vectors and NULL norms do not disturb it
INSERT INTO items VALUES (9002, 'null', NULL);
SELECT * FROM agree;
DELETE FROM items WHERE id = 9002;
DROP INDEX items_norm;

--# other spellings of the expression
CREATE INDEX items_norm ON items((VEC_NORM( "v" )) DESC);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), 20, '{"metric":"dot"}');
SELECT * FROM agree;
DROP INDEX items_norm;
CREATE INDEX items_norm ON items(/* length */ vec_norm(vec_f32(v)), kind);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), 20, '{"metric":"dot"}');
SELECT * FROM agree;
DROP INDEX items_norm;
--# an index that does not lead with the norm of this column is not one
CREATE INDEX items_kind_norm ON items(kind, vec_norm(v));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), 20, '{"metric":"dot"}');
DROP INDEX items_kind_norm;

--# generated column
ALTER TABLE items ADD COLUMN norm REAL GENERATED ALWAYS AS (vec_norm(v)) VIRTUAL;
CREATE INDEX items_norm ON items(norm);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), 20, '{"metric":"dot"}');
SELECT * FROM agree;
DROP INDEX items_norm;

--# covering index
CREATE INDEX items_norm_v ON items(vec_norm(v), v);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('items', 'v', (SELECT v FROM query), 20, '{"metric":"dot"}');
SELECT * FROM agree;
SELECT count(*) FROM vec_search('items', 'v', (SELECT v FROM query), NULL, '{"metric":"dot"}') AS s JOIN truth AS t ON t.place = s.rank AND t.id = s.id;
DROP INDEX items_norm_v;

--# l2: used where lengths spread more than neighbours lie apart (here: vectors on a few rays) ...
CREATE TABLE rays(id INTEGER PRIMARY KEY, v BLOB);
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 3000)
INSERT INTO rays SELECT i, vec_f32(json_array(i * 7919 % 3001, i % 3)) FROM row;
CREATE INDEX rays_norm ON rays(vec_norm(v));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('rays', 'v', '[1500,1]', 10);
SELECT group_concat(id) FROM vec_search('rays', 'v', '[1500,1]', 10);
SELECT group_concat(id) FROM (SELECT id FROM rays ORDER BY vec_distance_l2(v, '[1500,1]'), id LIMIT 10);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('rays', 'v', '[1500,1]', 10, '{"metric":"l2sq"}');
SELECT group_concat(id) FROM vec_search('rays', 'v', '[1500,1]', 10, '{"metric":"l2sq"}');
--# queries shorter and longer than every row
SELECT group_concat(id) FROM vec_search('rays', 'v', '[0,0]', 5);
SELECT group_concat(id) FROM (SELECT id FROM rays ORDER BY vec_distance_l2(v, '[0,0]'), id LIMIT 5);
SELECT group_concat(id) FROM vec_search('rays', 'v', '[90000,-5]', 5);
SELECT group_concat(id) FROM (SELECT id FROM rays ORDER BY vec_distance_l2(v, '[90000,-5]'), id LIMIT 5);
--# ... a query far off every ray, for which the index prunes nothing, still gets its answer
SELECT group_concat(id) FROM vec_search('rays', 'v', '[-900,-900]', 5);
SELECT group_concat(id) FROM (SELECT id FROM rays ORDER BY vec_distance_l2(v, '[-900,-900]'), id LIMIT 5);
--# ... and not where all vectors have the same length
CREATE TABLE unit(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO unit SELECT id, vec_normalize(v) FROM items;
CREATE INDEX unit_norm ON unit(vec_norm(v));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('unit', 'v', (SELECT v FROM query), 10);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('unit', 'v', (SELECT v FROM query), 10, '{"metric":"dot"}');

--# several indexes: the cheapest is taken, and a name forces one
CREATE INDEX rays_norm_v ON rays(vec_norm(v), v);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('rays', 'v', '[1500,1]', 10);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('rays', 'v', '[1500,1]', 10, '{"index":"rays_norm"}');
SELECT group_concat(id) FROM vec_search('rays', 'v', '[1500,1]', 10, '{"index":"rays_norm"}');
--# a norm index on float16 vectors
CREATE TABLE halves(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO halves SELECT id, vec_f16(vec_f32(v)) FROM rays;
CREATE INDEX halves_norm ON halves(vec_norm(vec_f16(v)));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('halves', 'v', '[1500,1]', 5, '{"type":"float16"}');
SELECT group_concat(id) FROM vec_search('halves', 'v', '[1500,1]', 5, '{"type":"float16"}');
SELECT group_concat(id) FROM (SELECT id FROM halves ORDER BY vec_distance_l2(vec_f16(v), vec_f16('[1500,1]')), id LIMIT 5);

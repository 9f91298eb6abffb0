-- Of several vecshard indexes over one column vec_search takes the one that fits metric and type best, and the one that it is told to take.
.read test/sql/index_rows.inc
CREATE TABLE base(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO base SELECT id, v FROM plain;
CREATE VIRTUAL TABLE base_b USING vecshard(v float[512] distance_metric=cosine, content=base, content_rowid=id);
CREATE VIRTUAL TABLE base_c USING vecshard(v float[512] distance_metric=cosine, content=base, content_rowid=id);
-- header on

--# all of one metric: that metric, and the first by name
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3);
--# of several metrics without l2 the first by name
CREATE VIRTUAL TABLE base_a USING vecshard(v float[512] distance_metric=dot, content=base, content_rowid=id);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3);
--# with l2, l2
CREATE VIRTUAL TABLE base_z USING vecshard(v float[512], content=base, content_rowid=id);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3);
--# the metric that is asked for: by an index that has it, else by one that serves it, else by a pass
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3, '{"metric":"cosine"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3, '{"metric":"dot"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3, '{"metric":"l2"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3, '{"metric":"l2sq"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3, '{"metric":"l1"}');
EXPLAIN QUERY PLAN SELECT query_no FROM vec_search_batch('base', 'v', '[[1]]', 3, '{"metric":"cosine"}');
--# by each metric the answer is that of a pass
SELECT found = expected AS same
FROM (SELECT group_concat(id || ':' || distance) AS found FROM (SELECT id, distance FROM vec_search('base', 'v', (SELECT q FROM one), 10))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest LIMIT 10));
SELECT found = expected AS same
FROM (SELECT group_concat(id || ':' || distance) AS found FROM (SELECT id, distance FROM vec_search('base', 'v', (SELECT q FROM one), 10, '{"metric":"cosine"}'))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_cosine(v, q) AS distance FROM plain, one ORDER BY 2, 1 LIMIT 10));
SELECT found = expected AS same
FROM (SELECT group_concat(id) AS found FROM (SELECT id FROM vec_search('base', 'v', (SELECT q FROM one), 10, '{"index":"base_a"}'))),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM plain, one ORDER BY vec_dot(v, q) DESC, id LIMIT 10));
--# the one that is named, whichever it is, in any case; its metric where none is asked for
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3, '{"index":"base_a"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3, '{"index":"base_b"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3, '{"index":"BASE_C"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3, '{"index":"base_z","metric":"dot"}');
--# or why it cannot be
SELECT id FROM vec_search('base', 'v', (SELECT q FROM one), 3, '{"index":"base_z","metric":"cosine"}');
SELECT id FROM vec_search('base', 'v', (SELECT q FROM one), 3, '{"index":"base_b","metric":"l1"}');
SELECT id FROM vec_search('base', 'v', (SELECT q FROM one), 3, '{"index":"base_b","type":"int8"}');
SELECT id FROM vec_search('base', 'v', (SELECT q FROM one), 3, '{"index":"base_b","norm_band":0.1}');
SELECT id FROM vec_search('base', 'id', (SELECT q FROM one), 3, '{"index":"base_b"}');
SELECT id FROM vec_search('base', 'v', (SELECT q FROM one), 3, '{"index":"base_y"}');
SELECT query_no FROM vec_search_batch('base', 'v', '[[1]]', 3, '{"index":"base_z","metric":"cosine"}');
--# dropped ones are not found, and the others are
DROP TABLE base_z;
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3);
DROP TABLE base_a;
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('base', 'v', x'', 3, '{"metric":"dot"}');

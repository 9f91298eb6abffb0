-- Which index helps a vector search, and how to see that it is used.
--
-- A search reads its whole table once, unless an index proves that some rows cannot be among the answers, or narrows the
-- search to the rows that matter. EXPLAIN QUERY PLAN says in words which way is taken. The answers are the same for every
-- strategy: only the number of rows read differs.
--
--   strategy                      use it when
--   none                          the table is small, or no index below applies: a pass is fast
--   norm index                    metric dot or l2, and the lengths |v| of the vectors differ (recommenders, raw counts).
--                                 It does nothing for vectors of unit length, and nothing for cosine: the length says
--                                 nothing about the angle
--   generated column              as the norm index, when the norm is also wanted as a column
--   covering index                as the norm index, when vectors are short: it holds a copy of each vector
--   partial index, by its name    always the same subset is searched (published, trusted, ...)
--   composite index, through IN   the subset changes from query to query (a tenant, a period)

-- 4,000 vectors of 16 numbers. A few are long and most are short, as in a recommender, where popular things get long vectors.
CREATE TABLE docs(
  id INTEGER PRIMARY KEY,
  created INTEGER NOT NULL,   -- a day number
  lang TEXT NOT NULL,
  metadata TEXT NOT NULL,     -- JSON: {"confidence": 0.00 to 0.99}
  embedding BLOB NOT NULL
);
WITH RECURSIVE
  row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 4000),
  axis(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM axis WHERE j < 15)
INSERT INTO docs
SELECT i,
       1 + i / 10,
       CASE i % 4 WHEN 0 THEN 'fr' ELSE 'en' END,
       json_object('confidence', (i * 37 % 100) / 100.0),
       vec_scale((SELECT vec_f32('[' || group_concat((i * 40503 + j * 30011 + i * j * 7919) % 10007 - 5003) || ']') FROM axis),
                 0.01 / (1 + i * 1009 % 4001))
FROM row;

CREATE TABLE query(v BLOB);
INSERT INTO query VALUES (vec_f32('[3,-1,4,1,-5,9,2,-6,5,3,-5,8,9,-7,9,3]'));

-- What the search must find: a plain ORDER BY over a distance function reads every row and sorts. Each search below is
-- compared with it.
CREATE TEMP VIEW expected AS
SELECT group_concat(id) AS ids
FROM (SELECT id FROM docs, query ORDER BY vec_distance_dot(embedding, v), id LIMIT 5);

--# None: one pass over the table.
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot"}');
SELECT id, rank, round(distance, 6) AS distance FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot"}');

--# Norm index: an index on the expression vec_norm(embedding). Rows are read by falling length, until |q||v| cannot win.
CREATE INDEX docs_norm ON docs(vec_norm(embedding));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot"}');
SELECT group_concat(id) AS ids, group_concat(id) = (SELECT ids FROM expected) AS is_exact
FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot"}');

--# The same index for l2 reads rows whose length is near to that of the query first, until the lengths differ by more than
--# the distance of the fifth. Sampled rows tell the planner that this would leave most of the table here: it takes one pass.
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', (SELECT embedding FROM docs WHERE id = 113), 5);
SELECT group_concat(id) AS ids,
       group_concat(id) = (SELECT group_concat(id) FROM (
         SELECT d.id FROM docs AS d, docs AS q WHERE q.id = 113 ORDER BY vec_distance_l2(d.embedding, q.embedding), d.id LIMIT 5)) AS is_exact
FROM vec_search('docs', 'embedding', (SELECT embedding FROM docs WHERE id = 113), 5);

--# It does not serve cosine: the plan goes back to one pass by itself.
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"cosine"}');
DROP INDEX docs_norm;

--# Generated column: the norm has a name, and its index serves in the same way.
ALTER TABLE docs ADD COLUMN norm REAL GENERATED ALWAYS AS (vec_norm(embedding)) VIRTUAL;
CREATE INDEX docs_norm_column ON docs(norm);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot"}');
SELECT group_concat(id) AS ids, group_concat(id) = (SELECT ids FROM expected) AS is_exact
FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot"}');
DROP INDEX docs_norm_column;
ALTER TABLE docs DROP COLUMN norm;

--# Covering index: the vector is in the index too, so that the table itself is not read.
CREATE INDEX docs_norm_vector ON docs(vec_norm(embedding), embedding);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot"}');
SELECT group_concat(id) AS ids, group_concat(id) = (SELECT ids FROM expected) AS is_exact
FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot"}');
DROP INDEX docs_norm_vector;

--# Partial index, named in the options: exactly the rows that it holds are searched.
CREATE INDEX docs_trusted ON docs(id) WHERE json_extract(metadata, '$.confidence') > 0.8;
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot","index":"docs_trusted"}');
SELECT group_concat(id) AS ids,
       group_concat(id) = (SELECT group_concat(id) FROM (
         SELECT id FROM docs, query WHERE json_extract(metadata, '$.confidence') > 0.8
         ORDER BY vec_distance_dot(embedding, v), id LIMIT 5)) AS is_exact
FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot","index":"docs_trusted"}');

--# The same partial index without its name: SQLite uses it for the subquery of id IN (...), and the list goes to the search.
EXPLAIN QUERY PLAN
SELECT id FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot"}')
WHERE id IN (SELECT id FROM docs WHERE json_extract(metadata, '$.confidence') > 0.8);
SELECT group_concat(id) AS ids
FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot"}')
WHERE id IN (SELECT id FROM docs WHERE json_extract(metadata, '$.confidence') > 0.8);

--# Composite index, through id IN (...): language and period change from query to query.
CREATE INDEX docs_lang_created ON docs(lang, created);
EXPLAIN QUERY PLAN
SELECT id FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot"}')
WHERE id IN (SELECT id FROM docs WHERE lang = 'fr' AND created BETWEEN 100 AND 130);
SELECT group_concat(id) AS ids,
       group_concat(id) = (SELECT group_concat(id) FROM (
         SELECT id FROM docs, query WHERE lang = 'fr' AND created BETWEEN 100 AND 130
         ORDER BY vec_distance_dot(embedding, v), id LIMIT 5)) AS is_exact
FROM vec_search('docs', 'embedding', (SELECT v FROM query), 5, '{"metric":"dot"}')
WHERE id IN (SELECT id FROM docs WHERE lang = 'fr' AND created BETWEEN 100 AND 130);

--# A norm band is the one strategy that may lose answers, so it is never used unasked, and the plan says "approximate".
-- Here: only vectors whose length is within half to one and a half times that of the query. vec_norm_selectivity tells
-- beforehand what share of the rows that is.
CREATE INDEX docs_norm ON docs(vec_norm(embedding));
SELECT round(vec_norm_selectivity('docs', 'embedding', (SELECT embedding FROM docs WHERE id = 113), 0.5), 2) AS share;
EXPLAIN QUERY PLAN
SELECT id FROM vec_search('docs', 'embedding', (SELECT embedding FROM docs WHERE id = 113), 5, '{"metric":"cosine","norm_band":0.5}');
SELECT id, round(distance, 6) AS distance
FROM vec_search('docs', 'embedding', (SELECT embedding FROM docs WHERE id = 113), 5, '{"metric":"cosine","norm_band":0.5}');

--# What the searches did.
SELECT strategy, sum(calls) AS calls, sum(rows_read) AS rows_read, sum(fallbacks) AS fallbacks FROM vec_stats GROUP BY strategy ORDER BY strategy;

-- vec_search gives the k nearest rows, or without k all rows as a stream, in every form of SQL that can hold a table.
CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT, lang TEXT, embedding BLOB);
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 300)
INSERT INTO docs
SELECT i, 'title ' || i, CASE i % 3 WHEN 0 THEN 'fr' ELSE 'en' END, vec_f32(json_array(i * 37 % 101, i * 53 % 97, i * 71 % 89)) FROM row;
-- What every search below must agree with: the plain ORDER BY.
CREATE TEMP TABLE truth AS
SELECT row_number() OVER (ORDER BY vec_distance_l2(embedding, '[50,40,30]'), id) AS place, id, vec_distance_l2(embedding, '[50,40,30]') AS distance
FROM docs;
-- header on

--# k as an argument
EXPLAIN QUERY PLAN SELECT s.id, s.distance FROM vec_search('docs', 'embedding', '[50,40,30]', 5) AS s;
SELECT s.id, s.distance, s.rank FROM vec_search('docs', 'embedding', '[50,40,30]', 5) AS s;
SELECT count(*) AS agree
FROM vec_search('docs', 'embedding', '[50,40,30]', 5) AS s JOIN truth AS t ON t.place = s.rank AND t.id = s.id AND t.distance = s.distance;

--# k by name
SELECT s.id FROM vec_search('docs', 'embedding', '[50,40,30]') AS s WHERE k = 2;
--# all arguments by name
SELECT id FROM vec_search WHERE tbl = 'docs' AND col = 'embedding' AND query = '[50,40,30]' AND k = 2 AND options = '{"metric":"l2"}';

--# no k: a stream of all rows
EXPLAIN QUERY PLAN SELECT s.id FROM vec_search('docs', 'embedding', '[50,40,30]') AS s;
SELECT count(*) AS row_count, min(s.rank) AS first, max(s.rank) AS last FROM vec_search('docs', 'embedding', '[50,40,30]') AS s;
SELECT count(*) AS agree
FROM vec_search('docs', 'embedding', '[50,40,30]') AS s JOIN truth AS t ON t.place = s.rank AND t.id = s.id AND t.distance = s.distance;
--# k NULL is no k
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[50,40,30]', NULL) AS s;

--# a stream joined and filtered by what the search does not know; LIMIT keeps its promise
EXPLAIN QUERY PLAN
SELECT d.title, s.distance FROM vec_search('docs', 'embedding', '[50,40,30]') AS s JOIN docs AS d ON d.rowid = s.id
WHERE d.lang = 'fr' OR d.title LIKE '%7' ORDER BY s.distance LIMIT 10;
SELECT group_concat(id) AS ids FROM (
  SELECT s.id FROM vec_search('docs', 'embedding', '[50,40,30]') AS s JOIN docs AS d ON d.rowid = s.id
  WHERE d.lang = 'fr' OR d.title LIKE '%7' ORDER BY s.distance LIMIT 10);
SELECT group_concat(id) AS ids FROM (
  SELECT d.id FROM docs AS d WHERE d.lang = 'fr' OR d.title LIKE '%7' ORDER BY vec_distance_l2(d.embedding, '[50,40,30]'), d.id LIMIT 10);
--# a filter that only the last row of the stream satisfies
SELECT s.id, s.rank FROM vec_search('docs', 'embedding', '[50,40,30]') AS s JOIN docs AS d ON d.id = s.id
WHERE d.id = (SELECT id FROM truth WHERE place = 300) ORDER BY s.distance LIMIT 1;
SELECT id, place FROM truth WHERE place = 300;

--# LIMIT and OFFSET of a stream
SELECT group_concat(id) AS ids FROM (SELECT s.id FROM vec_search('docs', 'embedding', '[50,40,30]') AS s LIMIT 4 OFFSET 70);
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth ORDER BY place LIMIT 4 OFFSET 70);
--# LIMIT smaller and larger than k
SELECT group_concat(id) AS ids FROM (SELECT s.id FROM vec_search('docs', 'embedding', '[50,40,30]', 5) AS s LIMIT 2);
SELECT count(*) AS row_count FROM (SELECT s.id FROM vec_search('docs', 'embedding', '[50,40,30]', 5) AS s LIMIT 100);

--# ORDER BY distance needs no sorter, ORDER BY rank neither; descending goes through one
EXPLAIN QUERY PLAN SELECT s.id FROM vec_search('docs', 'embedding', '[50,40,30]', 5) AS s ORDER BY s.distance;
EXPLAIN QUERY PLAN SELECT s.id FROM vec_search('docs', 'embedding', '[50,40,30]', 5) AS s ORDER BY s.rank;
EXPLAIN QUERY PLAN SELECT s.id FROM vec_search('docs', 'embedding', '[50,40,30]', 5) AS s ORDER BY s.distance DESC;
SELECT s.id, s.rank FROM vec_search('docs', 'embedding', '[50,40,30]', 3) AS s ORDER BY s.distance DESC;
SELECT s.id, s.rank FROM vec_search('docs', 'embedding', '[50,40,30]', 3) AS s ORDER BY s.id;

--# k of 0, and larger than the table
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[50,40,30]', 0) AS s;
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[50,40,30]', 1000) AS s;
--# an empty table
CREATE TABLE hollow(id INTEGER PRIMARY KEY, embedding BLOB);
EXPLAIN QUERY PLAN SELECT s.id FROM vec_search('hollow', 'embedding', '[1,2,3]', 5) AS s;
SELECT count(*) AS row_count FROM vec_search('hollow', 'embedding', '[1,2,3]', 5) AS s;
SELECT count(*) AS row_count FROM vec_search('hollow', 'embedding', '[1,2,3]') AS s;

--# the query as JSON text, BLOB, typed value, and from a subquery
SELECT group_concat(s.id) AS ids FROM vec_search('docs', 'embedding', x'000048420000204200000000', 3) AS s;
SELECT group_concat(s.id) AS ids FROM vec_search('docs', 'embedding', vec_f32('[50,40,0]'), 3) AS s;
SELECT group_concat(s.id) AS ids FROM vec_search('docs', 'embedding', (SELECT vec_add(embedding, '[0,0,0]') FROM docs WHERE id = 42), 3) AS s;
--# the hidden columns give the arguments back
SELECT tbl, col, query, k, options FROM vec_search('docs', 'embedding', '[50,40,30]', 1, '{"metric":"l1"}');

--# correlated with an outer table: a search for each of its rows
EXPLAIN QUERY PLAN
SELECT d.id, s.id FROM docs AS d JOIN vec_search('docs', 'embedding', d.embedding, 2) AS s WHERE d.id <= 4;
SELECT d.id AS row, s.rank, s.id, round(s.distance, 3) AS distance
FROM docs AS d JOIN vec_search('docs', 'embedding', d.embedding, 2) AS s WHERE d.id <= 4;
SELECT row, place, id FROM (
  SELECT a.id AS row, b.id, row_number() OVER (PARTITION BY a.id ORDER BY vec_distance_l2(a.embedding, b.embedding), b.id) AS place
  FROM docs AS a JOIN docs AS b WHERE a.id <= 4) WHERE place <= 2;
--# in a scalar subquery
SELECT d.id, (SELECT s.id FROM vec_search('docs', 'embedding', d.embedding, 2) AS s WHERE s.id <> d.id) AS neighbour
FROM docs AS d WHERE d.id <= 4;
--# in EXISTS and IN
SELECT d.id FROM docs AS d WHERE EXISTS (SELECT 1 FROM vec_search('docs', 'embedding', d.embedding, 2) AS s WHERE s.id <> d.id AND s.distance < 4) ORDER BY d.id LIMIT 3;
SELECT a.id FROM docs AS a WHERE EXISTS (SELECT 1 FROM docs AS b WHERE b.id <> a.id AND vec_distance_l2(a.embedding, b.embedding) < 4) ORDER BY a.id LIMIT 3;
SELECT title FROM docs WHERE id IN (SELECT s.id FROM vec_search('docs', 'embedding', '[50,40,30]', 3) AS s) ORDER BY id;
--# two searches joined
SELECT a.id FROM vec_search('docs', 'embedding', '[50,40,30]', 40) AS a JOIN vec_search('docs', 'embedding', '[60,40,30]', 40) AS b ON a.id = b.id
ORDER BY a.distance + b.distance, a.id LIMIT 3;
SELECT id FROM docs WHERE id IN (SELECT id FROM truth WHERE place <= 40)
  AND id IN (SELECT id FROM (SELECT id FROM docs ORDER BY vec_distance_l2(embedding, '[60,40,30]'), id LIMIT 40))
ORDER BY vec_distance_l2(embedding, '[50,40,30]') + vec_distance_l2(embedding, '[60,40,30]'), id LIMIT 3;
--# the table's name from a column: planned at run time
CREATE TABLE names(tbl TEXT, col TEXT);
INSERT INTO names VALUES ('docs', 'embedding'), ('hollow', 'embedding');
EXPLAIN QUERY PLAN SELECT n.tbl, s.id FROM names AS n JOIN vec_search(n.tbl, n.col, '[50,40,30]', 2) AS s;
SELECT n.tbl, s.id FROM names AS n JOIN vec_search(n.tbl, n.col, '[50,40,30]', 2) AS s;
--# in a view (one of the temp schema, which SQLite trusts) and a common table expression
CREATE TEMP VIEW nearest AS SELECT id, distance FROM vec_search('docs', 'embedding', '[50,40,30]', 3);
SELECT id FROM nearest;
WITH s AS (SELECT id, distance FROM vec_search('docs', 'embedding', '[50,40,30]', 3)) SELECT group_concat(id) AS ids FROM s;
--# as the source of a write
CREATE TABLE kept AS SELECT s.id, s.rank FROM vec_search('docs', 'embedding', '[50,40,30]', 3) AS s;
SELECT * FROM kept;
DELETE FROM docs WHERE id IN (SELECT s.id FROM vec_search('docs', 'embedding', '[50,40,30]', 3) AS s);
SELECT group_concat(s.id) AS ids FROM vec_search('docs', 'embedding', '[50,40,30]', 3) AS s;
SELECT group_concat(id) AS ids FROM truth WHERE place BETWEEN 4 AND 6;

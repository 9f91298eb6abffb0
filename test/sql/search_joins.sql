-- In a join the search comes first: k means the k nearest of the table, whatever the join then keeps, and lists of ids restrict it before.
CREATE TABLE docs(id INTEGER PRIMARY KEY, tag INTEGER, v BLOB);
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 100) INSERT INTO docs SELECT i, i % 10, vec_f32(json_array(i, 1)) FROM row;
-- header on
--# an inner join, in either order of writing
SELECT d.id, s.rank FROM vec_search('docs', 'v', '[50,1]', 3) AS s JOIN docs AS d ON d.id = s.id ORDER BY s.rank;
SELECT d.id, s.rank FROM docs AS d JOIN vec_search('docs', 'v', '[50,1]', 3) AS s ON d.id = s.id ORDER BY s.rank;
--# a condition on the other table filters the k rows
SELECT d.id, s.rank FROM vec_search('docs', 'v', '[50,1]', 3) AS s JOIN docs AS d ON d.id = s.id WHERE d.tag = 9;
SELECT d.id, s.rank FROM vec_search('docs', 'v', '[50,1]', 3) AS s JOIN docs AS d ON d.id = s.id WHERE d.tag = 7;
--# and a stream goes on until LIMIT
SELECT d.id FROM vec_search('docs', 'v', '[50,1]') AS s JOIN docs AS d ON d.id = s.id WHERE d.tag = 7 ORDER BY s.distance LIMIT 2;
--# LEFT JOIN: every row of the left side, and the rank of those among the k
SELECT d.id, s.rank FROM docs AS d LEFT JOIN vec_search('docs', 'v', '[50,1]', 3) AS s ON s.id = d.id WHERE d.id BETWEEN 48 AND 53;
--# CROSS JOIN, which keeps the order of writing
SELECT d.id, s.rank FROM docs AS d CROSS JOIN vec_search('docs', 'v', '[50,1]', 3) AS s WHERE s.id = d.id AND d.id BETWEEN 48 AND 53;
--# an outer row's id
SELECT d.id, EXISTS (SELECT 1 FROM vec_search('docs', 'v', '[50,1]', 3) AS s WHERE s.id = d.id) AS is_near FROM docs AS d WHERE d.id BETWEEN 48 AND 53;
--# two lists: the ids that are in both
SELECT group_concat(id) AS ids FROM vec_search('docs', 'v', '[1,1]', 3) WHERE id IN (10, 20, 30, 40, 50, 60) AND id IN (40, 50, 60, 70);
--# a list that depends on an outer table
SELECT t.column1 AS tag, s.rank, s.id FROM (VALUES (7), (3)) AS t JOIN vec_search('docs', 'v', '[50,1]', 3) AS s WHERE s.id IN (SELECT id FROM docs WHERE tag = t.column1) ORDER BY 1 DESC, 2;
--# the nearest of each group
SELECT t.tag, (SELECT s.id FROM vec_search('docs', 'v', '[50,1]', 1) AS s WHERE s.id IN (SELECT id FROM docs WHERE tag = t.tag)) AS nearest
FROM (SELECT DISTINCT tag FROM docs ORDER BY tag) AS t;

-- Recommendations by dot product.
--
-- Factor models put users and items into one space: the dot product predicts how much a user will like an item, and the
-- length of an item's vector grows with its popularity. So lengths matter here: use metric "dot", not "cosine", and give
-- the table a norm index. Items are then read from the longest vector down, and the search ends as soon as no shorter
-- one can win; nothing is lost by that.

CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT, category TEXT, factors BLOB);
CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, factors BLOB);
CREATE TABLE seen(user_id INTEGER, item_id INTEGER, PRIMARY KEY (user_id, item_id)) WITHOUT ROWID;

-- Made data: 5,000 items in 16 factors. Popularity falls with the id, as in a catalogue sorted by sales.
WITH RECURSIVE
  row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 5000),
  axis(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM axis WHERE j < 15)
INSERT INTO items
SELECT i, 'item ' || i, CASE i % 3 WHEN 0 THEN 'film' WHEN 1 THEN 'book' ELSE 'song' END,
       vec_scale((SELECT vec_f32('[' || group_concat((i * 40503 + j * 30011 + i * j * 7919) % 10007 - 5003) || ']') FROM axis),
                 0.002 / (1 + i / 50.0))
FROM row;
WITH RECURSIVE
  row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 3),
  axis(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM axis WHERE j < 15)
INSERT INTO users
SELECT i, 'user ' || i,
       vec_scale((SELECT vec_f32('[' || group_concat((i * 51511 + j * 7001 + i * j * 6151) % 10007 - 5003) || ']') FROM axis), 0.0002)
FROM row;
INSERT INTO seen VALUES (1, 29), (1, 171), (2, 31);

CREATE INDEX items_norm ON items(vec_norm(factors));

--# The plan: est. rows read, not all 5,000.
EXPLAIN QUERY PLAN
SELECT s.id FROM vec_search('items', 'factors', (SELECT factors FROM users WHERE id = 1), 5, '{"metric":"dot"}') AS s;

--# The five best items for user 1. The score is the dot product: the distance with its sign turned.
SELECT items.name, items.category, round(-s.distance, 3) AS score
FROM vec_search('items', 'factors', (SELECT factors FROM users WHERE id = 1), 5, '{"metric":"dot"}') AS s
JOIN items ON items.id = s.id
ORDER BY s.distance;

--# The same, checked against a plain ORDER BY over all items: 1 when they agree.
SELECT (SELECT group_concat(id) FROM vec_search('items', 'factors', (SELECT factors FROM users WHERE id = 1), 5, '{"metric":"dot"}'))
     = (SELECT group_concat(id) FROM (SELECT items.id FROM items, users WHERE users.id = 1
                                      ORDER BY vec_dot(items.factors, users.factors) DESC, items.id LIMIT 5)) AS is_exact;

--# Without what the user has seen: no k, so the search goes on until LIMIT is satisfied.
SELECT items.name, round(-s.distance, 3) AS score
FROM vec_search('items', 'factors', (SELECT factors FROM users WHERE id = 1), NULL, '{"metric":"dot"}') AS s
JOIN items ON items.id = s.id
WHERE s.id NOT IN (SELECT item_id FROM seen WHERE user_id = 1)
ORDER BY s.distance
LIMIT 3;

--# The best of one category.
SELECT items.name, round(-s.distance, 3) AS score
FROM vec_search('items', 'factors', (SELECT factors FROM users WHERE id = 2), NULL, '{"metric":"dot"}') AS s
JOIN items ON items.id = s.id
WHERE items.category = 'film'
ORDER BY s.distance
LIMIT 3;

--# Every user at once, for a nightly table: one pass for all.
CREATE TABLE recommended AS
SELECT users.id AS user_id, b.rank, b.id AS item_id, -b.distance AS score
FROM vec_search_batch('items', 'factors', (SELECT json_group_array(json(vec_to_json(factors))) FROM (SELECT factors FROM users ORDER BY id)),
                      2, '{"metric":"dot"}') AS b
JOIN users ON users.id = b.query_no + 1;
SELECT user_id, rank, item_id, round(score, 3) AS score FROM recommended ORDER BY user_id, rank;

--# More like this: items that please the same users as item 27 does, whatever their popularity. Here the angle counts.
SELECT items.name, round(s.distance, 3) AS distance
FROM vec_search('items', 'factors', (SELECT factors FROM items WHERE id = 27), 4, '{"metric":"cosine"}') AS s
JOIN items ON items.id = s.id
WHERE s.id <> 27
ORDER BY s.distance;

--# A user without history yet: the mean of the items that he picked stands in for his factors.
SELECT items.name, round(-s.distance, 3) AS score
FROM vec_search('items', 'factors', (SELECT vec_avg(factors) FROM items WHERE id IN (3, 8, 11)), 3, '{"metric":"dot"}') AS s
JOIN items ON items.id = s.id
ORDER BY s.distance;

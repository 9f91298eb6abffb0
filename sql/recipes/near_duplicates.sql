-- Nearly the same: pairs of rows whose vectors are closer than a threshold.
--
-- A self join with a correlated search: for each row, one search for the rows within the range. The range is handed to the
-- search, which reports nothing beyond it, so there is no k to guess. It takes one pass per row: fine for some thousands of
-- rows at a time, for example for those that came in today against all.

.read sql/examples/wordnet_load.sql

CREATE TABLE notes(id INTEGER PRIMARY KEY, title TEXT, body TEXT, embedding BLOB);
INSERT INTO notes(title, body, embedding) SELECT word, gloss, embedding FROM glosses WHERE pos = 'adv' ORDER BY id;

--# The plan: the outer table first, then a search for each of its rows.
EXPLAIN QUERY PLAN
SELECT a.title, b.title
FROM notes AS a
JOIN vec_search('notes', 'embedding', a.embedding, NULL, '{"metric":"cosine"}') AS s
JOIN notes AS b ON b.id = s.id
WHERE s.distance < 0.2 AND a.id < s.id;

--# Pairs at a cosine distance below 0.2, each once, nearest first.
SELECT a.title, a.body, b.title, b.body, round(s.distance, 3) AS distance
FROM notes AS a
JOIN vec_search('notes', 'embedding', a.embedding, NULL, '{"metric":"cosine"}') AS s
JOIN notes AS b ON b.id = s.id
WHERE s.distance < 0.2 AND a.id < s.id
ORDER BY s.distance, a.id, b.id;

--# The same pairs, counted by brute force: every pair and its distance.
SELECT count(*) AS pairs
FROM notes AS a JOIN notes AS b ON a.id < b.id
WHERE vec_distance_cosine(a.embedding, b.embedding) < 0.2;

--# Rows that came in today (id above 300) against everything older: only these are outer rows.
SELECT a.title AS new, b.title AS old, round(s.distance, 3) AS distance
FROM notes AS a
JOIN vec_search('notes', 'embedding', a.embedding, NULL, '{"metric":"cosine"}') AS s
JOIN notes AS b ON b.id = s.id
WHERE a.id > 300 AND s.id <= 300 AND s.distance < 0.35
ORDER BY s.distance, a.id, b.id;

-- Before an INSERT, the same search tells whether the new text is there already. RETURNING stays empty when it is.
--# A copy of note 5, and something new.
INSERT INTO notes(title, body, embedding)
SELECT 'copy', n.body, n.embedding FROM notes AS n
WHERE n.id = 5
  AND NOT EXISTS (SELECT 1 FROM vec_search('notes', 'embedding', n.embedding, 1, '{"metric":"cosine"}') AS s WHERE s.distance < 0.05)
RETURNING id, title;
INSERT INTO notes(title, body, embedding)
SELECT 'telescope', g.gloss, g.embedding FROM glosses AS g
WHERE g.word = 'telescope'
  AND NOT EXISTS (SELECT 1 FROM vec_search('notes', 'embedding', g.embedding, 1, '{"metric":"cosine"}') AS s WHERE s.distance < 0.05)
RETURNING id, title;

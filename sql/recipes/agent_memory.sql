-- The memory of an assistant: short texts with a time, a kind and a weight, recalled by meaning.
--
-- Everything is in one ordinary table, so a memory is written, corrected and forgotten with INSERT, UPDATE and DELETE, inside
-- the application's own transactions, and is found from the next statement on.

.read sql/examples/wordnet_load.sql

CREATE TABLE memories(
  id INTEGER PRIMARY KEY,
  session TEXT NOT NULL,
  created INTEGER NOT NULL,           -- seconds since 1970
  metadata TEXT NOT NULL DEFAULT '{}', -- JSON: kind, confidence
  body TEXT NOT NULL,
  embedding BLOB NOT NULL
);
CREATE INDEX memories_session ON memories(session, created);
CREATE INDEX memories_sure ON memories(id) WHERE json_extract(metadata, '$.confidence') >= 0.75;

-- 40 memories, one a day, from two sessions.
INSERT INTO memories
SELECT id, CASE WHEN id % 2 THEN 'home' ELSE 'work' END, 1700000000 + id * 86400,
       json_object('kind', CASE WHEN id % 5 THEN 'fact' ELSE 'wish' END, 'confidence', id % 3 / 2.0), question, embedding
FROM questions;

-- What the assistant is reminded of: here, the meaning of a word.
CREATE TEMP VIEW reminder AS SELECT embedding FROM glosses WHERE word = 'insomnia';

--# Everything: the three nearest memories.
SELECT m.id, m.session, m.body, round(s.distance, 3) AS distance
FROM vec_search('memories', 'embedding', (SELECT embedding FROM reminder), 3, '{"metric":"cosine"}') AS s
JOIN memories AS m ON m.id = s.id
ORDER BY s.distance;

--# Of one session, not older than day 8. The index on (session, created) finds the rows, the search reads only these.
EXPLAIN QUERY PLAN
SELECT s.id FROM vec_search('memories', 'embedding', (SELECT embedding FROM reminder), 3, '{"metric":"cosine"}') AS s
WHERE s.id IN (SELECT id FROM memories WHERE session = 'work' AND created >= 1700000000 + 8 * 86400);
SELECT m.id, m.session, m.body, round(s.distance, 3) AS distance
FROM vec_search('memories', 'embedding', (SELECT embedding FROM reminder), 3, '{"metric":"cosine"}') AS s
JOIN memories AS m ON m.id = s.id
WHERE s.id IN (SELECT id FROM memories WHERE session = 'work' AND created >= 1700000000 + 8 * 86400)
ORDER BY s.distance;

--# Only what is sure: a partial index, named in the options.
EXPLAIN QUERY PLAN
SELECT s.id FROM vec_search('memories', 'embedding', (SELECT embedding FROM reminder), 3, '{"metric":"cosine","index":"memories_sure"}') AS s;
SELECT m.id, json_extract(m.metadata, '$.confidence') AS confidence, m.body, round(s.distance, 3) AS distance
FROM vec_search('memories', 'embedding', (SELECT embedding FROM reminder), 3, '{"metric":"cosine","index":"memories_sure"}') AS s
JOIN memories AS m ON m.id = s.id
ORDER BY s.distance;

--# Nearness and age together: a candidate loses 0.005 for each day of age, seen from day 40.
SELECT m.id, m.body, round(s.distance, 3) AS distance,
       (1700000000 + 40 * 86400 - m.created) / 86400 AS days,
       round(s.distance + 0.005 * ((1700000000 + 40 * 86400 - m.created) / 86400), 3) AS score
FROM vec_search('memories', 'embedding', (SELECT embedding FROM reminder), 10, '{"metric":"cosine"}') AS s
JOIN memories AS m ON m.id = s.id
ORDER BY score
LIMIT 3;

--# Forgetting and correcting take effect at once, also inside a transaction, and a ROLLBACK undoes both.
BEGIN;
DELETE FROM memories WHERE id = 7;
UPDATE memories SET embedding = (SELECT embedding FROM reminder), body = 'cannot sleep before a journey' WHERE id = 3;
SELECT m.id, m.body, round(s.distance, 3) AS distance
FROM vec_search('memories', 'embedding', (SELECT embedding FROM reminder), 2, '{"metric":"cosine"}') AS s
JOIN memories AS m ON m.id = s.id
ORDER BY s.distance;
ROLLBACK;
SELECT m.id, m.body, round(s.distance, 3) AS distance
FROM vec_search('memories', 'embedding', (SELECT embedding FROM reminder), 2, '{"metric":"cosine"}') AS s
JOIN memories AS m ON m.id = s.id
ORDER BY s.distance;

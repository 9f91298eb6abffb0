-- The memories of many users in one indexed table: each user is a partition, searched by itself.
--
-- A search with user = ? reads that user's rows alone, however many others there are; kind, confidence and time are metadata,
-- and conditions on them go into the search, so an answer is never short. The text is an auxiliary column: it comes with the row.

.read sql/examples/wordnet_load.sql

CREATE VIRTUAL TABLE memories USING vecshard(
  id INTEGER PRIMARY KEY,
  embedding float[384] distance_metric=cosine,
  user TEXT PARTITION KEY,
  kind TEXT,
  confidence REAL,
  created INTEGER,          -- seconds since 1970
  +body TEXT
);

-- 40 memories of two users, one a day; and 5,000 of a third, who is not to be heard by the others.
INSERT INTO memories(id, embedding, user, kind, confidence, created, body)
SELECT id, embedding, CASE WHEN id % 2 THEN 'ann' ELSE 'bob' END, CASE WHEN id % 5 THEN 'fact' ELSE 'wish' END, id % 3 / 2.0,
       1700000000 + id * 86400, question
FROM questions;
INSERT INTO memories(id, embedding, user, kind, confidence, created, body)
SELECT 1000 + id, embedding, 'library', 'fact', 1.0, 1700000000, gloss FROM glosses;

-- What the assistant is reminded of: here, the meaning of a word.
CREATE TEMP VIEW reminder AS SELECT embedding FROM glosses WHERE word = 'insomnia';

--# The three nearest memories of one user.
EXPLAIN QUERY PLAN
SELECT id FROM memories WHERE embedding MATCH (SELECT embedding FROM reminder) AND k = 3 AND user = 'ann';
SELECT id, body, round(distance, 3) AS distance
FROM memories
WHERE embedding MATCH (SELECT embedding FROM reminder) AND k = 3 AND user = 'ann'
ORDER BY memories.distance;

--# Only what is sure, and not older than day 8.
SELECT id, body, confidence, round(distance, 3) AS distance
FROM memories
WHERE embedding MATCH (SELECT embedding FROM reminder) AND k = 3
  AND user = 'ann' AND confidence >= 0.5 AND created >= 1700000000 + 8 * 86400
ORDER BY memories.distance;

--# Of both users, the nearest of each kind: without k the search is a stream, and any condition may stand beside it.
SELECT user, kind, id, round(min(distance), 3) AS distance
FROM memories
WHERE embedding MATCH (SELECT embedding FROM reminder) AND user IN ('ann', 'bob')
GROUP BY user, kind
ORDER BY user, kind;

--# Nearness and age together: a candidate loses 0.005 for each day of age, seen from day 40.
SELECT id, body, round(distance, 3) AS distance, (1700000000 + 40 * 86400 - created) / 86400 AS days,
       round(distance + 0.005 * ((1700000000 + 40 * 86400 - created) / 86400), 3) AS score
FROM memories
WHERE embedding MATCH (SELECT embedding FROM reminder) AND k = 10 AND user = 'ann'
ORDER BY score
LIMIT 3;

--# Is this already known? Anything of this user within a distance of 0.2.
SELECT count(*) AS known
FROM memories
WHERE embedding MATCH (SELECT embedding FROM questions WHERE id = 7) AND user = 'ann' AND distance < 0.2;

--# Forgetting, correcting, and handing a memory over to another user. A ROLLBACK undoes all of it.
BEGIN;
DELETE FROM memories WHERE id = 7;
UPDATE memories SET embedding = (SELECT embedding FROM reminder), body = 'cannot sleep before a journey' WHERE id = 3;
UPDATE memories SET user = 'ann' WHERE id = 12;
SELECT id, body, round(distance, 3) AS distance
FROM memories
WHERE embedding MATCH (SELECT embedding FROM reminder) AND k = 2 AND user = 'ann'
ORDER BY memories.distance;
SELECT user, count(*) AS memories FROM memories GROUP BY user ORDER BY user;
ROLLBACK;
SELECT user, count(*) AS memories FROM memories GROUP BY user ORDER BY user;

--# A user leaves: all of the partition goes, and the space can be used again.
DELETE FROM memories WHERE user = 'library';
INSERT INTO memories(memories) VALUES ('optimize');
INSERT INTO memories(memories) VALUES ('integrity-check');
SELECT user, count(*) AS memories FROM memories GROUP BY user ORDER BY user;

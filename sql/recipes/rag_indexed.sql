-- Hybrid retrieval with both indexes over one table: FTS5 for words, vecshard for meaning.
--
-- The chunks are rows of an ordinary table; both indexes refer to it and follow it by triggers: vecshard makes its own, FTS5
-- wants three. So the application writes one table, and reads it by words, by meaning, or by both.

.read sql/examples/wordnet_load.sql

CREATE TABLE chunks(id INTEGER PRIMARY KEY, source TEXT, title TEXT, body TEXT, embedding BLOB);
INSERT INTO chunks SELECT id, pos, word, gloss, embedding FROM glosses;

CREATE VIRTUAL TABLE chunks_fts USING fts5(title, body, content='chunks', content_rowid='id', tokenize='porter');
INSERT INTO chunks_fts(chunks_fts) VALUES ('rebuild');
CREATE TRIGGER chunks_fts_insert AFTER INSERT ON chunks BEGIN
  INSERT INTO chunks_fts(rowid, title, body) VALUES (new.id, new.title, new.body);
END;
CREATE TRIGGER chunks_fts_delete AFTER DELETE ON chunks BEGIN
  INSERT INTO chunks_fts(chunks_fts, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
END;
CREATE TRIGGER chunks_fts_update AFTER UPDATE ON chunks BEGIN
  INSERT INTO chunks_fts(chunks_fts, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
  INSERT INTO chunks_fts(rowid, title, body) VALUES (new.id, new.title, new.body);
END;

CREATE VIRTUAL TABLE chunks_vec USING vecshard(
  embedding float[384] distance_metric=cosine, source TEXT, content=chunks, content_rowid=id);

--# By meaning, through the index. Question: "a thief who takes wallets out of people's coats"
EXPLAIN QUERY PLAN
SELECT rowid FROM chunks_vec WHERE embedding MATCH (SELECT embedding FROM questions WHERE id = 28) AND k = 5;
SELECT chunks.title, chunks.body, round(s.distance, 3) AS distance
FROM chunks_vec AS s JOIN chunks ON chunks.id = s.rowid
WHERE s.embedding MATCH (SELECT embedding FROM questions WHERE id = 28) AND s.k = 5
ORDER BY s.distance;

--# From one source only. The condition is applied before the five are chosen.
SELECT chunks.title, chunks.body, round(s.distance, 3) AS distance
FROM chunks_vec AS s JOIN chunks ON chunks.id = s.rowid
WHERE s.embedding MATCH (SELECT embedding FROM questions WHERE id = 28) AND s.k = 5 AND s.source = 'verb'
ORDER BY s.distance;

--# Words as a condition, meaning as the order: rowid IN (...) goes into the search, too.
SELECT chunks.title, chunks.body, round(s.distance, 3) AS distance
FROM chunks_vec AS s JOIN chunks ON chunks.id = s.rowid
WHERE s.embedding MATCH (SELECT embedding FROM questions WHERE id = 27) AND s.k = 5
  AND s.rowid IN (SELECT rowid FROM chunks_fts WHERE chunks_fts MATCH 'night')
ORDER BY s.distance;

--# Both, by reciprocal rank fusion: 20 candidates from each side, each worth 1 / (60 + its place).
WITH
  by_words AS (
    SELECT id, row_number() OVER (ORDER BY score, id) AS place
    FROM (SELECT rowid AS id, bm25(chunks_fts) AS score
          FROM chunks_fts
          WHERE chunks_fts MATCH 'thief OR takes OR wallets OR coats'
          ORDER BY score, id
          LIMIT 20)
  ),
  by_meaning AS (
    SELECT rowid AS id, row_number() OVER (ORDER BY distance, rowid) AS place
    FROM chunks_vec
    WHERE embedding MATCH (SELECT embedding FROM questions WHERE id = 28) AND k = 20
  ),
  points AS (
    SELECT id, 1.0 / (60 + place) AS score, 'words ' || place AS origin FROM by_words
    UNION ALL
    SELECT id, 1.0 / (60 + place), 'meaning ' || place FROM by_meaning
  )
SELECT chunks.title, chunks.body, round(sum(score), 5) AS score, group_concat(origin, ', ') AS found_by
FROM points JOIN chunks ON chunks.id = points.id
GROUP BY points.id
ORDER BY sum(score) DESC, points.id
LIMIT 5;

--# One write, and both indexes know.
INSERT INTO chunks SELECT 1000000, 'noun', 'coat thief', 'someone who empties the pockets of hanging coats', embedding FROM questions WHERE id = 28;
SELECT chunks.id, chunks.title FROM chunks_fts JOIN chunks ON chunks.id = chunks_fts.rowid WHERE chunks_fts MATCH 'pockets AND hanging';
SELECT chunks.id, chunks.title
FROM chunks_vec AS s JOIN chunks ON chunks.id = s.rowid
WHERE s.embedding MATCH (SELECT embedding FROM questions WHERE id = 28) AND s.k = 1;
DELETE FROM chunks WHERE id = 1000000;
SELECT chunks.id, chunks.title
FROM chunks_vec AS s JOIN chunks ON chunks.id = s.rowid
WHERE s.embedding MATCH (SELECT embedding FROM questions WHERE id = 28) AND s.k = 1;

--# Dropping the index takes its triggers with it. The table is as it was.
DROP TABLE chunks_vec;
SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name;

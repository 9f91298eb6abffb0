-- Hybrid retrieval: full-text search and vector search over the same chunks, merged by reciprocal rank fusion.
--
-- Full-text search finds the words that were typed, vector search what was meant. Neither order of scores can be compared
-- with the other, but their ranks can: each list gives a chunk 1 / (60 + rank) points, and the sums decide. 60 is the usual
-- constant; it keeps the first places from outweighing everything else.

.read sql/examples/wordnet_load.sql

-- Chunks of text, as a retrieval pipeline stores them; here, definitions. The full-text index is an external-content FTS5
-- table, so the text is stored once.
CREATE TABLE chunks(id INTEGER PRIMARY KEY, title TEXT, body TEXT, embedding BLOB);
INSERT INTO chunks SELECT id, word, gloss, embedding FROM glosses;
CREATE VIRTUAL TABLE chunks_fts USING fts5(title, body, content='chunks', content_rowid='id', tokenize='porter');
INSERT INTO chunks_fts(chunks_fts) VALUES ('rebuild');

--# By words alone. Question: "a thief who takes wallets out of people's coats"
SELECT chunks.title, chunks.body
FROM chunks_fts JOIN chunks ON chunks.id = chunks_fts.rowid
WHERE chunks_fts MATCH 'thief OR takes OR wallets OR coats'
ORDER BY bm25(chunks_fts), chunks.id
LIMIT 5;

--# By meaning alone.
SELECT chunks.title, chunks.body
FROM vec_search('chunks', 'embedding', (SELECT embedding FROM questions WHERE id = 28), 5, '{"metric":"cosine"}') AS s
JOIN chunks ON chunks.id = s.id
ORDER BY s.rank;

--# Both, by reciprocal rank fusion: 20 candidates from each side.
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
    SELECT id, rank AS place
    FROM vec_search('chunks', 'embedding', (SELECT embedding FROM questions WHERE id = 28), 20, '{"metric":"cosine"}')
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

--# Words as a condition, meaning as the order: only chunks that mention "night", nearest first.
SELECT chunks.title, chunks.body, round(s.distance, 3) AS distance
FROM vec_search('chunks', 'embedding', (SELECT embedding FROM questions WHERE id = 27), 5, '{"metric":"cosine"}') AS s
JOIN chunks ON chunks.id = s.id
WHERE s.id IN (SELECT rowid FROM chunks_fts WHERE chunks_fts MATCH 'night')
ORDER BY s.distance;

-- The chunks around each hit belong into the context too. Ids count through the documents here, so the neighbours are id - 1
-- and id + 1; in a real table, join on (document, position).
--# Context: the two best chunks of the search by meaning, each with the chunks beside it.
SELECT s.rank, chunks.id - s.id AS offset, chunks.title
FROM vec_search('chunks', 'embedding', (SELECT embedding FROM questions WHERE id = 28), 2, '{"metric":"cosine"}') AS s
JOIN chunks ON chunks.id BETWEEN s.id - 1 AND s.id + 1
ORDER BY s.rank, offset;

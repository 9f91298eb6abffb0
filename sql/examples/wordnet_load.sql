-- Loads 5,000 definitions from WordNet, with their embeddings, and 40 questions into two ordinary tables.
--
--     sqlite3 build/demo/wordnet.db ".load ./vecshard" ".read sql/examples/wordnet_load.sql"
--
-- The files hold 384 float16 numbers per text, packed with zstd. vec_unzstd unpacks them, substr cuts one vector out, and
-- vec_f32(vec_f16(...)) widens it to float32, the type that a search expects unless told otherwise. Both tables are plain
-- SQLite: nothing about them is particular to vecshard.

DROP TABLE IF EXISTS glosses;
DROP TABLE IF EXISTS questions;

CREATE TABLE glosses(
  id INTEGER PRIMARY KEY,
  word TEXT NOT NULL,       -- the first word of the group of synonyms
  words TEXT NOT NULL,      -- all of them
  pos TEXT NOT NULL,        -- noun, verb, adj or adv
  gloss TEXT NOT NULL,      -- the definition
  embedding BLOB NOT NULL   -- its meaning: 384 float32 numbers
);

CREATE TABLE questions(
  id INTEGER PRIMARY KEY,
  question TEXT NOT NULL,
  embedding BLOB NOT NULL
);

BEGIN;

-- SQLite copies a function's argument for each call, so the file is cut into pieces of 100 vectors first, and the pieces into vectors.
WITH RECURSIVE
  number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 49),
  piece(n, vectors) AS MATERIALIZED (
    SELECT n, substr((SELECT vec_unzstd(readfile('test/data/glosses.f16.zst'))), n * 76800 + 1, 76800) FROM number
  )
INSERT INTO glosses
SELECT entry.key + 1,
       entry.value ->> 'word',
       (SELECT group_concat(synonym.value, ', ') FROM json_each(entry.value -> 'words') AS synonym),
       entry.value ->> 'pos',
       entry.value ->> 'gloss',
       vec_f32(vec_f16(substr(piece.vectors, entry.key % 100 * 768 + 1, 768)))
FROM json_each(CAST(vec_unzstd(readfile('test/data/glosses.json.zst')) AS TEXT)) AS entry
JOIN piece ON piece.n = entry.key / 100;

INSERT INTO questions
SELECT value ->> 'id',
       value ->> 'question',
       vec_f32(vec_f16(substr((SELECT vec_unzstd(readfile('test/data/questions.f16.zst'))), key * 768 + 1, 768)))
FROM json_each(CAST(readfile('test/data/questions.json') AS TEXT));

COMMIT;

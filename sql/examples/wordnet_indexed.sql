-- The same dictionary with indexes: an index over the ordinary table, and an indexed table of its own. Run it from the root of the project:
--
--     sqlite3 build/demo/wordnet.db ".load ./vecshard" ".read sql/examples/wordnet_indexed.sql"

DROP TABLE IF EXISTS glosses_index;
DROP TABLE IF EXISTS meanings;
.read sql/examples/wordnet_load.sql
.mode box --wrap 60 --wordwrap on

-- What a pass over the table finds, to compare with: the ten nearest definitions of each question.
CREATE TEMP TABLE by_pass AS
SELECT q.id AS question, s.rank, s.id, s.distance
FROM questions AS q JOIN vec_search('glosses', 'embedding', q.embedding, 10, '{"metric":"cosine"}') AS s;

.print
.print "9. An index. It is built from the rows that are there, keeps itself in step, and from now on"
.print "vec_search uses it by itself:"
.print
.print "    CREATE VIRTUAL TABLE glosses_index USING vecshard("
.print "      embedding float[384] distance_metric=cosine, pos TEXT, content=glosses, content_rowid=id);"
.print
CREATE VIRTUAL TABLE glosses_index USING vecshard(
  embedding float[384] distance_metric=cosine, pos TEXT, content=glosses, content_rowid=id);
EXPLAIN QUERY PLAN
SELECT g.words, g.gloss, s.distance
FROM vec_search('glosses', 'embedding', (SELECT embedding FROM questions WHERE id = 3), 3, '{"metric":"cosine"}') AS s
JOIN glosses AS g ON g.id = s.id
ORDER BY s.distance;
SELECT g.words, g.gloss AS definition, format('%.3f', s.distance) AS distance
FROM vec_search('glosses', 'embedding', (SELECT embedding FROM questions WHERE id = 3), 3, '{"metric":"cosine"}') AS s
JOIN glosses AS g ON g.id = s.id
ORDER BY s.distance;

.print
.print "10. The index answers with the same rows and the same distances, to the last bit:"
CREATE TEMP TABLE by_index AS
SELECT q.id AS question, s.rank, s.id, s.distance
FROM questions AS q JOIN vec_search('glosses', 'embedding', q.embedding, 10, '{"metric":"cosine"}') AS s;
SELECT (SELECT count(*) FROM temp.by_pass) AS "answers by a pass",
       (SELECT count(*) FROM temp.by_index) AS "by the index",
       (SELECT count(*) FROM (SELECT * FROM temp.by_pass EXCEPT SELECT * FROM temp.by_index)) AS "that differ";

.print
.print "11. Only verbs: \"when the ground shakes\". The condition goes into the search."
EXPLAIN QUERY PLAN
SELECT rowid FROM glosses_index
WHERE embedding MATCH (SELECT embedding FROM questions WHERE id = 12) AND k = 3 AND pos = 'verb';
SELECT g.words, g.gloss AS definition, format('%.3f', s.distance) AS distance
FROM glosses_index AS s
JOIN glosses AS g ON g.id = s.rowid
WHERE s.embedding MATCH (SELECT embedding FROM questions WHERE id = 12) AND s.k = 3 AND s.pos = 'verb'
ORDER BY s.distance;

.print
.print "12. A table of its own, which holds everything: vectors, columns to filter by, columns to show."
.print
.print "    CREATE VIRTUAL TABLE meanings USING vecshard("
.print "      embedding float[384] distance_metric=cosine, pos TEXT, +word TEXT, +gloss TEXT);"
.print
CREATE VIRTUAL TABLE meanings USING vecshard(
  embedding float[384] distance_metric=cosine, pos TEXT, +word TEXT, +gloss TEXT);
INSERT INTO meanings(rowid, embedding, pos, word, gloss) SELECT id, embedding, pos, word, gloss FROM glosses;
.print "\"an uncontrollable urge to steal things\", nouns and verbs:"
SELECT word, gloss AS definition, pos, format('%.3f', distance) AS distance
FROM meanings
WHERE embedding MATCH (SELECT embedding FROM questions WHERE id = 36) AND pos IN ('noun', 'verb')
ORDER BY meanings.distance
LIMIT 3;

.print
.print "13. Write, and find at once; roll back, and it is gone."
BEGIN;
INSERT INTO meanings(rowid, embedding, pos, word, gloss)
SELECT 1000000, embedding, 'noun', 'sticky fingers', 'a habit of taking what belongs to others' FROM questions WHERE id = 36;
SELECT word, format('%.3f', distance) AS distance FROM meanings
WHERE embedding MATCH (SELECT embedding FROM questions WHERE id = 36) ORDER BY meanings.distance LIMIT 2;
ROLLBACK;
SELECT word, format('%.3f', distance) AS distance FROM meanings
WHERE embedding MATCH (SELECT embedding FROM questions WHERE id = 36) ORDER BY meanings.distance LIMIT 2;

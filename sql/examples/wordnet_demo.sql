-- Asks a dictionary by meaning: eight ways to use vec_search over an ordinary table. Run it from the root of the project:
--
--     sqlite3 build/demo/wordnet.db ".load ./vecshard" ".read sql/examples/wordnet_demo.sql"

.read sql/examples/wordnet_load.sql
.mode box --wrap 60 --wordwrap on

.print
.print 5,000 definitions from a dictionary, each with an embedding of its meaning, in an ordinary table:
SELECT pos, count(*) AS definitions, min(length(embedding)) || ' bytes' AS embedding
FROM glosses GROUP BY pos ORDER BY count(*) DESC;

.print
.print "1. Which word means \"the feeling when you miss home\"? No word is compared, only meaning."
SELECT g.words, g.gloss AS definition, format('%.3f', s.distance) AS distance
FROM vec_search('glosses', 'embedding', (SELECT embedding FROM questions WHERE id = 3), 3, '{"metric":"cosine"}') AS s
JOIN glosses AS g ON g.id = s.id
ORDER BY s.distance;

.print
.print That was plain SQL:
.print
.print "    SELECT g.words, g.gloss, s.distance"
.print "    FROM vec_search('glosses', 'embedding', :question, 3, '{\"metric\":\"cosine\"}') AS s"
.print "    JOIN glosses AS g ON g.id = s.id"
.print "    ORDER BY s.distance;"
.print
.print and this is how SQLite runs it (EXPLAIN QUERY PLAN):
EXPLAIN QUERY PLAN
SELECT g.words, g.gloss, s.distance
FROM vec_search('glosses', 'embedding', (SELECT embedding FROM questions WHERE id = 3), 3, '{"metric":"cosine"}') AS s
JOIN glosses AS g ON g.id = s.id
ORDER BY s.distance;

.print
.print "2. Eight more questions in one statement: a search for each row of the table questions."
.mode box --wrap 36 --wordwrap on
SELECT q.question, g.word AS answer, g.gloss AS definition
FROM questions AS q
JOIN vec_search('glosses', 'embedding', q.embedding, 1, '{"metric":"cosine"}') AS s
JOIN glosses AS g ON g.id = s.id
WHERE q.id IN (2, 10, 17, 25, 27, 28, 34, 38)
ORDER BY q.id;
.mode box --wrap 60 --wordwrap on

.print
.print "3. Only verbs, please: \"when the ground shakes\". Without a k the search is a stream of rows"
.print by rising distance, so any WHERE and LIMIT keep their promise.
SELECT g.words, g.gloss AS definition, format('%.3f', s.distance) AS distance
FROM vec_search('glosses', 'embedding', (SELECT embedding FROM questions WHERE id = 12), NULL, '{"metric":"cosine"}') AS s
JOIN glosses AS g ON g.id = s.id
WHERE g.pos = 'verb'
ORDER BY s.distance
LIMIT 3;

.print
.print "4. Only adjectives: \"not being able to fall asleep at night\". id IN (...) is handed to the"
.print search, so only these rows are read.
CREATE INDEX IF NOT EXISTS glosses_pos ON glosses(pos);
SELECT g.words, g.gloss AS definition, format('%.3f', s.distance) AS distance
FROM vec_search('glosses', 'embedding', (SELECT embedding FROM questions WHERE id = 7), 3, '{"metric":"cosine"}') AS s
JOIN glosses AS g ON g.id = s.id
WHERE s.id IN (SELECT id FROM glosses WHERE pos = 'adj')
ORDER BY s.distance;
EXPLAIN QUERY PLAN
SELECT s.id
FROM vec_search('glosses', 'embedding', (SELECT embedding FROM questions WHERE id = 7), 3, '{"metric":"cosine"}') AS s
WHERE s.id IN (SELECT id FROM glosses WHERE pos = 'adj');

.print
.print "5. Everything near enough: \"an uncontrollable urge to steal things\", distance below 0.45."
SELECT g.pos, g.words, g.gloss AS definition, format('%.3f', s.distance) AS distance
FROM vec_search('glosses', 'embedding', (SELECT embedding FROM questions WHERE id = 36), NULL, '{"metric":"cosine"}') AS s
JOIN glosses AS g ON g.id = s.id
WHERE s.distance < 0.45
ORDER BY s.distance;

.print
.print "6. The best of each kind: the nearest noun, verb, adjective and adverb for"
.print "\"active at night rather than by day\"."
SELECT pos, words, definition, format('%.3f', distance) AS distance
FROM (
  SELECT g.pos, g.words, g.gloss AS definition, s.distance, row_number() OVER (PARTITION BY g.pos ORDER BY s.distance) AS place
  FROM vec_search('glosses', 'embedding', (SELECT embedding FROM questions WHERE id = 27), NULL, '{"metric":"cosine"}') AS s
  JOIN glosses AS g ON g.id = s.id
)
WHERE place = 1
ORDER BY distance;

.print
.print 7. From word to word: the five nearest neighbours of some words, by a search that is correlated
.print with an outer table.
SELECT w.word,
       (SELECT group_concat(word, ', ')
        FROM (SELECT g.word
              FROM vec_search('glosses', 'embedding', w.embedding, 6, '{"metric":"cosine"}') AS s
              JOIN glosses AS g ON g.id = s.id
              WHERE s.id <> w.id
              ORDER BY s.distance)) AS neighbours
FROM glosses AS w
WHERE w.word IN ('coffee', 'courage', 'doctor', 'guitar', 'kitchen', 'money', 'winter')
ORDER BY w.word;

.print
.print 8. All 40 questions in one pass over the table, by vec_search_batch:
.mode box --wrap 70 --wordwrap on
CREATE TEMP TABLE answers AS
SELECT b.query_no, g.word
FROM vec_search_batch('glosses', 'embedding',
                      (SELECT json_group_array(json(vec_to_json(embedding))) FROM (SELECT embedding FROM questions ORDER BY id)),
                      1, '{"metric":"cosine"}') AS b
JOIN glosses AS g ON g.id = b.id;
SELECT q.question, a.word AS answer
FROM questions AS q
JOIN temp.answers AS a ON a.query_no = q.id - 1
ORDER BY q.id;
DROP TABLE temp.answers;

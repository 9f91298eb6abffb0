-- On 5,000 real embeddings every search form finds exactly what brute force finds, for all 40 questions.
.read sql/examples/wordnet_load.sql
SELECT count(*), count(DISTINCT id), min(vec_length(embedding)), max(vec_length(embedding)), max(abs(vec_norm(embedding) - 1)) < 0.0002 FROM glosses;
SELECT count(*), min(vec_length(embedding)), max(vec_length(embedding)) FROM questions;
CREATE TEMP TABLE truth AS
SELECT question, place, id, distance FROM (
  SELECT q.id AS question, g.id, vec_distance_cosine(q.embedding, g.embedding) AS distance,
         row_number() OVER (PARTITION BY q.id ORDER BY vec_distance_cosine(q.embedding, g.embedding), g.id) AS place
  FROM questions AS q JOIN glosses AS g)
WHERE place <= 10;
SELECT count(*) FROM truth;

--# k
EXPLAIN QUERY PLAN SELECT q.id, s.id FROM questions AS q JOIN vec_search('glosses', 'embedding', q.embedding, 10, '{"metric":"cosine"}') AS s;
SELECT count(*) FROM (
  SELECT q.id AS question, s.rank, s.id, s.distance FROM questions AS q JOIN vec_search('glosses', 'embedding', q.embedding, 10, '{"metric":"cosine"}') AS s
  INTERSECT SELECT * FROM truth);
--# stream
SELECT count(*) FROM (
  SELECT q.id AS question, s.rank, s.id, s.distance FROM questions AS q JOIN vec_search('glosses', 'embedding', q.embedding, NULL, '{"metric":"cosine"}') AS s
  WHERE s.rank <= 10 INTERSECT SELECT * FROM truth);
--# batch
EXPLAIN QUERY PLAN SELECT * FROM vec_search_batch('glosses', 'embedding', '[]', 10, '{"metric":"cosine"}');
SELECT count(*) FROM (
  SELECT b.query_no + 1, b.rank, b.id, b.distance
  FROM vec_search_batch('glosses', 'embedding', (SELECT json_group_array(json(vec_to_json(embedding))) FROM (SELECT embedding FROM questions ORDER BY id)), 10, '{"metric":"cosine"}') AS b
  INTERSECT SELECT * FROM truth);
--# range: everything nearer than 0.4, and nothing else
SELECT count(*), (SELECT count(*) FROM questions AS q JOIN glosses AS g WHERE vec_distance_cosine(q.embedding, g.embedding) < 0.4)
FROM questions AS q JOIN vec_search('glosses', 'embedding', q.embedding, NULL, '{"metric":"cosine"}') AS s WHERE s.distance < 0.4;
--# verbs only, through the list of ids
SELECT count(*) FROM (
  SELECT q.id, s.id FROM questions AS q JOIN vec_search('glosses', 'embedding', q.embedding, 3, '{"metric":"cosine"}') AS s
  WHERE s.id IN (SELECT id FROM glosses WHERE pos = 'verb')
  INTERSECT
  SELECT question, id FROM (
    SELECT q.id AS question, g.id, row_number() OVER (PARTITION BY q.id ORDER BY vec_distance_cosine(q.embedding, g.embedding), g.id) AS place
    FROM questions AS q JOIN glosses AS g WHERE g.pos = 'verb') WHERE place <= 3);
--# in half the bytes: float16 columns hold exactly what was loaded, so the answers are the same
CREATE TABLE halves(id INTEGER PRIMARY KEY, embedding BLOB);
INSERT INTO halves SELECT id, vec_f16(vec_f32(embedding)) FROM glosses;
SELECT count(*) FROM (
  SELECT q.id AS question, s.rank, s.id, s.distance
  FROM questions AS q JOIN vec_search('halves', 'embedding', vec_f32(q.embedding), 10, '{"metric":"cosine","type":"float16"}') AS s
  INTERSECT SELECT * FROM truth);
--# an index on the norm changes nothing: all norms are 1, and a pass is taken
CREATE INDEX glosses_norm ON glosses(vec_norm(embedding));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('glosses', 'embedding', (SELECT embedding FROM questions WHERE id = 1), 10);
SELECT group_concat(s.id) = (SELECT group_concat(id) FROM (SELECT id FROM truth WHERE question = 1 ORDER BY place))
FROM vec_search('glosses', 'embedding', (SELECT embedding FROM questions WHERE id = 1), 10, '{"metric":"dot","index":"glosses_norm"}') AS s;
--# the answers that a reader has in mind
SELECT q.question, g.word FROM truth AS t JOIN questions AS q ON q.id = t.question JOIN glosses AS g ON g.id = t.id WHERE t.place = 1 ORDER BY q.id LIMIT 5;

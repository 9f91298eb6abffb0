-- What compression would save, for each way of storing a column: measured on a sample, with one recommendation.
CREATE TABLE docs(id INTEGER PRIMARY KEY, halves BLOB, noise BLOB, meta TEXT, hash TEXT);
-- Sums of sines are float16 numbers after rounding, or keep all bits of float32.
INSERT INTO docs WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400),
  e(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM e WHERE j < 31)
SELECT i, vec_f32(vec_f16(vec_f32(json_group_array(sin(i * (j + 1)))))), vec_f32(json_group_array(sin(i * (j + 1)))),
  json_object('source', iif(i % 3, 'wiki', 'news'), 'lang', 'en', 'path', printf('/archive/%04d/part-%02d/item.html', i * 7919 % 10000, i % 17)),
  printf('%08x', i * 2654435761 & 0xffffffff)
FROM n, e GROUP BY i;

--# float16 numbers in float32: half the space, without losing a bit
SELECT choice, share, recommended FROM vec_compress_report('docs', 'halves');
--# float32 that is nothing less: only the exponents are alike
SELECT choice, share, recommended FROM vec_compress_report('docs', 'noise', 100);
--# rows of JSON resemble each other
SELECT choice, share, recommended FROM vec_compress_report('docs', 'meta') WHERE choice NOT LIKE 'zstd%';
--# what does not pay
SELECT choice, note FROM vec_compress_report('docs', 'hash') WHERE recommended;
--# a column of an indexed table, and one row of the report for each column of a list
CREATE VIRTUAL TABLE memories USING vecshard(embedding float[32], lang TEXT, +meta TEXT);
INSERT INTO memories(rowid, embedding, lang, meta) SELECT id, noise, 'en', meta FROM docs WHERE id % 3 > 0;
SELECT choice, share, recommended FROM vec_compress_report('memories', 'embedding') WHERE choice = 'store=half';
SELECT c.value AS col, r.choice FROM json_each('["embedding","lang","meta"]') AS c, vec_compress_report('memories', c.value) AS r WHERE r.recommended;
--# an index over a table keeps no vectors, and a column is said to be what it is already
CREATE VIRTUAL TABLE docs_index USING vecshard(halves float[32], content=docs, content_rowid=id);
SELECT choice, recommended, note FROM vec_compress_report('docs_index', 'halves') WHERE choice IN ('float32', 'store=half', 'cold');
DROP TABLE docs_index;
CREATE VIRTUAL TABLE old USING vecshard(v float[32] store=half);
WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO old(v) SELECT halves FROM n JOIN docs ON id = i % 400 + 1;
INSERT INTO old(old, arg) VALUES ('tier', 'cold');
SELECT choice, recommended, note FROM vec_compress_report('old', 'v') WHERE choice IN ('store=half', 'cold');
--# NULLs are passed over; mixed rows
UPDATE docs SET halves = NULL WHERE id % 2 = 0;
UPDATE docs SET halves = noise WHERE id % 4 = 1;
SELECT choice, share, recommended FROM vec_compress_report('docs', 'halves');
--# arguments
SELECT * FROM vec_compress_report('docs');
SELECT * FROM vec_compress_report('doc', 'meta');
SELECT * FROM vec_compress_report('docs', 'met');
SELECT * FROM vec_compress_report('docs', 'id');
SELECT * FROM vec_compress_report('docs', 'meta', -1);
SELECT * FROM vec_compress_report('docs', 'meta', 10, 20);
--# contents
UPDATE docs SET noise = substr(noise, 5) WHERE id = 7;
SELECT * FROM vec_compress_report('docs', 'noise');
UPDATE docs SET noise = 'text' WHERE id = 7;
SELECT * FROM vec_compress_report('docs', 'noise');
UPDATE docs SET meta = NULL;
SELECT * FROM vec_compress_report('docs', 'meta');

-- The tables of index_v1.db, which was written by format version 1 and is kept as it is:
--   sqlite3 -cmd '.load ./vecshard' test/format/index_v1.db < test/format/index_v1.sql
-- All values are exact in float32, or sevenths, so every version makes the same rows of them.
PRAGMA page_size = 1024;

CREATE TEMP VIEW numbers AS
  WITH RECURSIVE r(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM r WHERE i < 90) SELECT i FROM r;
CREATE TEMP TABLE elements AS
  WITH RECURSIVE r(j) AS (VALUES (0) UNION ALL SELECT j + 1 FROM r WHERE j < 2051) SELECT j FROM r;

-- Coded: partition 1 has a full cell and a plain one, partition 2 a plain one.
CREATE VIRTUAL TABLE notes USING vecshard(
  embedding float[769] distance_metric=cosine store=f16,
  tenant INTEGER PARTITION KEY,
  id TEXT COLLATE NOCASE PRIMARY KEY,
  lang TEXT,
  +title VARYING CHARACTER(80));
INSERT INTO notes(rowid, embedding, tenant, id, lang, title)
  SELECT i, (SELECT vec_f32(json_group_array(((i * 37 + j * 101 + i * j * 7) % 201 - 100) / 8.0)) FROM elements WHERE j < 769),
         1 + (i > 80), 'n' || i, CASE i % 3 WHEN 0 THEN 'en' WHEN 1 THEN 'fr' END, 'note ' || i
  FROM numbers;
INSERT INTO notes(notes, arg, tenant) VALUES ('tier', 'cold', 1);
DELETE FROM notes WHERE rowid % 30 = 7;
UPDATE notes SET embedding = NULL, lang = 'none' WHERE rowid IN (3, 85);
UPDATE notes SET tenant = 2 WHERE rowid = 11;

-- Several vectors a row, none of them coded.
CREATE VIRTUAL TABLE shapes USING vecshard(
  id INTEGER PRIMARY KEY,
  bits bit[16] distance_metric=jaccard,
  place float[3],
  wide int8[2052] distance_metric=l1,
  hue bfloat16[5] distance_metric=dot,
  name TEXT);
INSERT INTO shapes(id, bits, place, wide, hue, name)
  SELECT i, vec_bit((SELECT json_group_array((i * 5 + j * i) % 3 = 1) FROM elements WHERE j < 16)),
         vec_f32((SELECT json_group_array((i * 3 + j * 17) % 50) FROM elements WHERE j < 3)),
         vec_int8((SELECT json_group_array((i * 11 + j * 29) % 200 - 100) FROM elements)),
         vec_bf16((SELECT json_group_array((i * 7 + j * 3) % 16) FROM elements WHERE j < 5)), 'shape ' || i
  FROM numbers WHERE i <= 14;

-- Halves, and between them vectors that are none.
CREATE VIRTUAL TABLE halves USING vecshard(v float[33] distance_metric=l2sq store=half, n INTEGER);
INSERT INTO halves(rowid, v, n)
  SELECT i, vec_f32((SELECT json_group_array((i * 19 + j * 23 + i * j) % 77 - 38 + (i % 5 = 0 AND j = 4) * 4097)
           FROM elements WHERE j < 33)), i % 3 FROM numbers;
UPDATE halves SET v = NULL WHERE rowid = 12;
DELETE FROM halves WHERE rowid = 30;

-- A cold cell, whose blocks have vectors on the half grid and others.
CREATE VIRTUAL TABLE mixed USING vecshard(v float[2052], n INTEGER);
INSERT INTO mixed(rowid, v, n)
  SELECT i, vec_f32((SELECT json_group_array(iif(i % 4 OR i > 16, ((i + j * j) % 5 - 2) / 7.0, (i * 7919 + j * j * 104729) % 16777213))
           FROM elements)), i % 2 FROM numbers WHERE i <= 32;
INSERT INTO mixed(mixed, arg) VALUES ('tier', 'cold');
DELETE FROM mixed WHERE rowid = 9;

-- Packed texts; row 40 becomes plain again, and 41 holds a BLOB that begins like one.
CREATE VIRTUAL TABLE letters USING vecshard(v float[3], n INTEGER, +body TEXT COLLATE NOCASE);
INSERT INTO letters(rowid, v, n, body)
  SELECT i, vec_f32(json_array(i, i % 7, i % 11)), i % 3, json_object('from', iif(i % 4, 'the harbour office', 'the town hall'),
         'shelf', i % 17, 'subject', 'Report number ' || (i * 31 % 977) || ' of the committee for winter quarters')
  FROM numbers;
INSERT INTO letters(letters, arg) VALUES ('tier', 'cold');
UPDATE letters SET body = body || '.' WHERE rowid = 40;
UPDATE letters SET body = x'd1d0' WHERE rowid = 41;
UPDATE letters SET n = 5 WHERE rowid = 42;

-- An index over a table.
CREATE TABLE docs(id INTEGER PRIMARY KEY, embedding BLOB, lang TEXT);
INSERT INTO docs SELECT i, CASE WHEN i % 10 > 0 THEN
    vec_f32((SELECT json_group_array((i * 13 + j * 31 + i * j) % 99) FROM elements WHERE j < 33)) END, 'en'
  FROM numbers WHERE i <= 60;
CREATE VIRTUAL TABLE docs_index USING vecshard(embedding float[33] distance_metric=l2sq, lang TEXT, content=docs, content_rowid=id);
UPDATE docs SET lang = 'fr' WHERE id % 4 = 0;
DELETE FROM docs WHERE id = 21;
VACUUM;

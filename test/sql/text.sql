-- Packed texts: a dictionary is trained from a table, stored, and used; every text comes back; what is damaged or missing is a sentence.
CREATE TABLE docs(id INTEGER PRIMARY KEY, meta);
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO docs SELECT i, json_object('source', CASE i % 3 WHEN 0 THEN 'wiki' WHEN 1 THEN 'news' ELSE 'mail' END, 'lang', 'en',
  'path', printf('/archive/%04d/part-%02d/item.html', i * 7919 % 10000, i % 17), 'chunk', i % 40, 'length', i * 104729 % 2000,
  'title', printf('Report number %d of the committee', i * 31 % 977)) FROM n;

--# trained from the rows, stored under an id of its own
CREATE TABLE saved AS SELECT vec_dict_add(vec_train_dict(meta), 'docs.meta') AS dict FROM docs;
SELECT count(*), kind, note, typeof(bytes), id BETWEEN 32768 AND 2147483647 AS has_id FROM vecshard_dict;
--# rows in place, all smaller; without a dictionary they hardly shrink
CREATE TABLE packed AS SELECT id, vec_pack_text(meta, (SELECT dict FROM saved)) AS meta, vec_pack_text(meta) AS alone FROM docs;
SELECT max(length(packed.meta)) < min(length(docs.meta)) AS smaller, sum(length(packed.meta)) * 2 < sum(length(alone)) AS with_dictionary FROM docs JOIN packed USING (id);
SELECT count(*) FROM docs JOIN packed USING (id) WHERE vec_unpack_text(packed.meta) = docs.meta AND vec_unpack_text(alone) = docs.meta;
SELECT vec_unpack_text(meta) ->> '$.path' AS path FROM packed WHERE id = 17;
--# an index over what is packed is used; a host that does not trust schemas has no such index, as unpacking reads a table
-- defensive off
CREATE INDEX packed_path ON packed(json_extract(vec_unpack_text(meta), '$.path'));
EXPLAIN QUERY PLAN SELECT id FROM packed WHERE json_extract(vec_unpack_text(meta), '$.path') = '/archive/4623/part-00/item.html';
SELECT id FROM packed WHERE json_extract(vec_unpack_text(meta), '$.path') = '/archive/4623/part-00/item.html';
DROP INDEX packed_path;
--# text that is not worth it is stored: at most 5 bytes more
SELECT hex(vec_pack_text('')), hex(vec_pack_text('abc')), vec_unpack_text(vec_pack_text('abc'));
SELECT vec_pack_text(NULL), vec_unpack_text(NULL), vec_dict_add(NULL);
--# any bytes come back
SELECT hex(vec_unpack_text(vec_pack_text(CAST(x'ff00fe41' AS TEXT)))) AS bytes;

--# what cannot be packed
SELECT vec_pack_text(5);
SELECT vec_pack_text('a', NULL);
SELECT vec_pack_text('a', 99);
SELECT vec_dict_add(x'00');
SELECT vec_train_dict(meta) FROM docs WHERE id < 4;
SELECT vec_train_dict(meta, 10) FROM docs;
--# what cannot be unpacked
SELECT vec_unpack_text('a');
SELECT vec_unpack_text(x'01');
SELECT vec_unpack_text(x'd00102030405');
SELECT vec_unpack_text(x'd1');
SELECT vec_unpack_text(x'd1ffffffff0f0000000000');
--# without its dictionary a row is closed, and open again when it is back
BEGIN;
UPDATE vecshard_dict SET id = 40000;
SELECT count(vec_unpack_text(alone)) FROM packed;
SELECT vec_unpack_text(x'd10ac1b8020000000000');
ROLLBACK;
SELECT count(vec_unpack_text(meta)) FROM packed;

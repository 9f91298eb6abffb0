-- Compression loses nothing: every vector and every BLOB comes back bit for bit, with its element type, and what is no frame is refused.
CREATE TABLE v(name TEXT PRIMARY KEY, x BLOB);
INSERT INTO v WITH n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 767)
SELECT 'whole numbers', vec_f32(json_group_array((i * i) % 251)) FROM n
UNION ALL SELECT 'halves', vec_f32(vec_f16(vec_f32(json_group_array(((i * i) % 251 - 125) / 128.0)))) FROM n
UNION ALL SELECT 'decimals', vec_f32(json_group_array(((i * 7919) % 20011 - 10000) / 10000.0)) FROM n
UNION ALL SELECT 'fractions', vec_f32(json_group_array(1.0 / (i * 7919 % 20011 + 3))) FROM n
UNION ALL SELECT 'float16', vec_f16(vec_f32(json_group_array(1.0 / (i * 7919 % 20011 + 3)))) FROM n
UNION ALL SELECT 'one number', vec_f32(json_group_array(0.1)) FROM n;

--# what is chosen, and what it gains
SELECT name, vec_compress_info(z) ->> '$.transform' AS transform, vec_compress_info(z) ->> '$.raw_bytes' AS raw, vec_compress_info(z) ->> '$.ratio' AS ratio FROM (SELECT name, vec_compress(x) AS z FROM v) ORDER BY name;
--# a stored BLOB has no element type: vec_compress takes it for float32, unless a constructor says another one
SELECT name, vec_decompress(vec_compress(x)) = x AS same, vec_type(vec_decompress(vec_compress(vec_f16(x)))) AS type FROM v WHERE name = 'float16';
--# every mode, every level
SELECT mode, level, min(vec_decompress(vec_compress(x, mode, level)) = x) AS same, max(length(vec_compress(x, mode, level)) - length(x)) <= 52 AS small
FROM v, (SELECT 'auto' AS mode UNION SELECT 'planes' UNION SELECT 'half' UNION SELECT 'raw'), (SELECT 1 AS level UNION SELECT 3 UNION SELECT 19) GROUP BY mode, level;
--# bits that are no numbers: NaN with a payload, infinity, zeros with a sign, the smallest denormal
SELECT hex(vec_decompress(vec_compress(x'0100807f0100c0ff000080ff000000800000000001000080'))) AS same;
--# plain bytes
SELECT CAST(vec_decompress(vec_compress(CAST('no vector' AS BLOB))) AS TEXT) AS bytes, vec_compress_info(vec_compress(CAST('no vector' AS BLOB))) AS info;
--# the streams of a frame
SELECT s.value ->> '$.plane' AS plane, s.value ->> '$.coding' AS coding, s.value ->> '$.raw_bytes' AS raw, s.value ->> '$.stored_bytes' < s.value ->> '$.raw_bytes' AS gains
FROM v, json_each(vec_compress_info(vec_compress(x)), '$.streams') AS s WHERE name = 'fractions' ORDER BY plane;
--# search in what was compressed
CREATE TABLE archive(id INTEGER PRIMARY KEY, z BLOB);
INSERT INTO archive SELECT rowid, vec_compress(x) FROM v WHERE length(x) = 3072;
CREATE VIEW opened AS SELECT id, vec_decompress(z) AS x FROM archive;
SELECT v.name, round(vec_distance_l2(o.x, (SELECT x FROM v WHERE name = 'decimals')), 3) AS distance FROM opened AS o JOIN v ON v.rowid = o.id ORDER BY distance LIMIT 2;

--# what is no frame
SELECT vec_decompress(x'00');
SELECT vec_decompress('text');
SELECT vec_decompress(x) FROM v LIMIT 1;
SELECT vec_decompress(substr(z, 1, 60)) FROM archive LIMIT 1;
SELECT vec_decompress(CAST(z || x'00' AS BLOB)) FROM archive LIMIT 1;
--# what is no mode, and no level
SELECT vec_compress(x, 'zip') FROM v LIMIT 1;
SELECT vec_compress(x, 'auto', 20) FROM v LIMIT 1;
--# more than the connection allows
SELECT vec_config('max_decoded_mb', 0);
SELECT vec_decompress(z) FROM archive LIMIT 1;
SELECT vec_config('max_decoded_mb', 64);

--# with a dictionary: the frame names it, and it is found again
CREATE TABLE notes(x TEXT);
WITH RECURSIVE r(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM r WHERE i < 1000)
  INSERT INTO notes SELECT json_object('id', i, 'lang', 'en', 'title', 'document number ' || i, 'tags', json_array('a' || i % 7, 'b' || i % 11)) FROM r;
SELECT vec_dict_add(vec_train_dict(x)) > 0 AS added FROM notes;
SELECT count(*) AS rows, sum(length(vec_compress(CAST(x AS BLOB), 'raw', 3, id)) < length(vec_compress(CAST(x AS BLOB), 'raw', 3))) > 900 AS smaller,
  sum(CAST(vec_decompress(vec_compress(CAST(x AS BLOB), 'raw', 3, id)) AS TEXT) = x) AS same,
  sum(json_extract(vec_compress_info(vec_compress(CAST(x AS BLOB), 'raw', 3, id)), '$.dictionary') = id) AS named FROM notes, vecshard_dict;
CREATE TABLE packed AS SELECT vec_compress(CAST(x AS BLOB), 'raw', 3, id) AS f FROM notes, vecshard_dict LIMIT 1;
UPDATE vecshard_dict SET id = 40000;
SELECT typeof(vec_compress(x'0102030405', 'raw', 3, 40001)) FROM packed;
SELECT vec_compress(x'0102030405', 'raw', 3, 'none') FROM packed;
SELECT vec_compress(x'0102030405', 'raw', 3, 0) IS NOT NULL AS without FROM packed;
DROP TABLE vecshard_dict;
SELECT vec_decompress(f) IS NULL FROM packed WHERE vec_compress_info(f) IS NULL;

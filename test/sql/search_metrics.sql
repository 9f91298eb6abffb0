-- Every metric over every element type finds the rows, in the order and at the distances, of a plain ORDER BY.
CREATE TABLE source(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 200)
INSERT INTO source
SELECT i, json_array(i * 37 % 101 - 50, i * 53 % 97 - 48, i * 71 % 89 - 44, i * 11 % 83 - 41, i * 5 % 13 - 6, i * 29 % 31 - 15, i % 7 - 3, i % 5 - 2) FROM row;
CREATE TABLE vectors(id INTEGER PRIMARY KEY, f32 BLOB, f16 BLOB, bf16 BLOB, i8 BLOB, bits BLOB, json TEXT);
INSERT INTO vectors SELECT id, vec_f32(v), vec_f16(v), vec_bf16(v), vec_int8(v), vec_quantize_binary(v), v FROM source;

--# float32: agreeing rows of 20, and the first three
SELECT 'l2', (SELECT count(*) FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',20,'{"metric":"l2"}') s JOIN (SELECT id, row_number() OVER (ORDER BY vec_distance_l2(f32,'[10,-20,5,3,1,-4,2,0]'), id) n, vec_distance_l2(f32,'[10,-20,5,3,1,-4,2,0]') d FROM vectors) t ON t.n = s.rank AND t.id = s.id AND t.d = s.distance);
SELECT id, distance FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',3,'{"metric":"l2"}');
SELECT 'l2sq', (SELECT count(*) FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',20,'{"metric":"l2sq"}') s JOIN (SELECT id, row_number() OVER (ORDER BY vec_distance_l2sq(f32,'[10,-20,5,3,1,-4,2,0]'), id) n, vec_distance_l2sq(f32,'[10,-20,5,3,1,-4,2,0]') d FROM vectors) t ON t.n = s.rank AND t.id = s.id AND t.d = s.distance);
SELECT id, distance FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',3,'{"metric":"l2sq"}');
SELECT 'l1', (SELECT count(*) FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',20,'{"metric":"l1"}') s JOIN (SELECT id, row_number() OVER (ORDER BY vec_distance_l1(f32,'[10,-20,5,3,1,-4,2,0]'), id) n, vec_distance_l1(f32,'[10,-20,5,3,1,-4,2,0]') d FROM vectors) t ON t.n = s.rank AND t.id = s.id AND t.d = s.distance);
SELECT id, distance FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',3,'{"metric":"l1"}');
SELECT 'cosine', (SELECT count(*) FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',20,'{"metric":"cosine"}') s JOIN (SELECT id, row_number() OVER (ORDER BY vec_distance_cosine(f32,'[10,-20,5,3,1,-4,2,0]'), id) n, vec_distance_cosine(f32,'[10,-20,5,3,1,-4,2,0]') d FROM vectors) t ON t.n = s.rank AND t.id = s.id AND t.d = s.distance);
SELECT id, round(distance, 12) FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',3,'{"metric":"cosine"}');
SELECT 'dot', (SELECT count(*) FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',20,'{"metric":"dot"}') s JOIN (SELECT id, row_number() OVER (ORDER BY vec_distance_dot(f32,'[10,-20,5,3,1,-4,2,0]'), id) n, vec_distance_dot(f32,'[10,-20,5,3,1,-4,2,0]') d FROM vectors) t ON t.n = s.rank AND t.id = s.id AND t.d = s.distance);
SELECT id, distance FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',3,'{"metric":"dot"}');

--# The distances are what they say: taken apart with the element's own arithmetic for the nearest row of each
SELECT s.distance = sqrt_free, abs_sum = (SELECT distance FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',1,'{"metric":"l1"}')) FROM
  vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',1,'{"metric":"l2sq"}') s,
  (SELECT sum((a.value - b.value) * (a.value - b.value)) AS sqrt_free FROM json_each((SELECT v FROM source WHERE id = (SELECT id FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',1,'{"metric":"l2sq"}')))) a JOIN json_each('[10,-20,5,3,1,-4,2,0]') b ON a.key = b.key),
  (SELECT sum(abs(a.value - b.value)) AS abs_sum FROM json_each((SELECT v FROM source WHERE id = (SELECT id FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',1,'{"metric":"l1"}')))) a JOIN json_each('[10,-20,5,3,1,-4,2,0]') b ON a.key = b.key);

--# All numbers here are exact in every numeric type: the same rows and distances for each
CREATE TEMP TABLE found AS
SELECT 'f32' AS type, 'l2' AS metric, group_concat(id || '@' || distance) AS hits FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',9)
UNION ALL SELECT 'f16','l2', group_concat(id || '@' || distance) FROM vec_search('vectors','f16','[10,-20,5,3,1,-4,2,0]',9,'{"type":"float16"}')
UNION ALL SELECT 'bf16','l2', group_concat(id || '@' || distance) FROM vec_search('vectors','bf16','[10,-20,5,3,1,-4,2,0]',9,'{"type":"bfloat16"}')
UNION ALL SELECT 'i8','l2', group_concat(id || '@' || distance) FROM vec_search('vectors','i8','[10,-20,5,3,1,-4,2,0]',9,'{"type":"int8"}')
UNION ALL SELECT 'json','l2', group_concat(id || '@' || distance) FROM vec_search('vectors','json','[10,-20,5,3,1,-4,2,0]',9)
UNION ALL SELECT 'f32','cosine', group_concat(id || '@' || distance) FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',9,'{"metric":"cosine"}')
UNION ALL SELECT 'f16','cosine', group_concat(id || '@' || distance) FROM vec_search('vectors','f16','[10,-20,5,3,1,-4,2,0]',9,'{"type":"float16","metric":"cosine"}')
UNION ALL SELECT 'bf16','cosine', group_concat(id || '@' || distance) FROM vec_search('vectors','bf16','[10,-20,5,3,1,-4,2,0]',9,'{"type":"bfloat16","metric":"cosine"}')
UNION ALL SELECT 'i8','cosine', group_concat(id || '@' || distance) FROM vec_search('vectors','i8','[10,-20,5,3,1,-4,2,0]',9,'{"type":"int8","metric":"cosine"}')
UNION ALL SELECT 'f32','dot', group_concat(id || '@' || distance) FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',9,'{"metric":"dot"}')
UNION ALL SELECT 'f16','dot', group_concat(id || '@' || distance) FROM vec_search('vectors','f16','[10,-20,5,3,1,-4,2,0]',9,'{"type":"float16","metric":"dot"}')
UNION ALL SELECT 'bf16','dot', group_concat(id || '@' || distance) FROM vec_search('vectors','bf16','[10,-20,5,3,1,-4,2,0]',9,'{"type":"bfloat16","metric":"dot"}')
UNION ALL SELECT 'i8','dot', group_concat(id || '@' || distance) FROM vec_search('vectors','i8','[10,-20,5,3,1,-4,2,0]',9,'{"type":"int8","metric":"dot"}')
UNION ALL SELECT 'f32','l1', group_concat(id || '@' || distance) FROM vec_search('vectors','f32','[10,-20,5,3,1,-4,2,0]',9,'{"metric":"l1"}')
UNION ALL SELECT 'f16','l1', group_concat(id || '@' || distance) FROM vec_search('vectors','f16','[10,-20,5,3,1,-4,2,0]',9,'{"type":"float16","metric":"l1"}')
UNION ALL SELECT 'bf16','l1', group_concat(id || '@' || distance) FROM vec_search('vectors','bf16','[10,-20,5,3,1,-4,2,0]',9,'{"type":"bfloat16","metric":"l1"}')
UNION ALL SELECT 'i8','l1', group_concat(id || '@' || distance) FROM vec_search('vectors','i8','[10,-20,5,3,1,-4,2,0]',9,'{"type":"int8","metric":"l1"}');
SELECT metric, count(*), count(DISTINCT hits) FROM found GROUP BY metric ORDER BY metric;

--# bits: hamming unless jaccard is asked for
EXPLAIN QUERY PLAN SELECT id FROM vec_search('vectors','bits', vec_quantize_binary('[10,-20,5,3,1,-4,2,0]'), 5, '{"type":"bit"}');
SELECT id, distance FROM vec_search('vectors','bits', vec_quantize_binary('[10,-20,5,3,1,-4,2,0]'), 5, '{"type":"bit"}');
SELECT id, vec_distance_hamming(vec_bit(bits), vec_quantize_binary('[10,-20,5,3,1,-4,2,0]')) AS d FROM vectors ORDER BY d, id LIMIT 5;
SELECT id, round(distance, 6) FROM vec_search('vectors','bits', vec_quantize_binary('[10,-20,5,3,1,-4,2,0]'), 5, '{"type":"bit","metric":"jaccard"}') WHERE distance > 0.2;
SELECT id, round(vec_distance_jaccard(vec_bit(bits), vec_quantize_binary('[10,-20,5,3,1,-4,2,0]')), 6) AS d FROM vectors WHERE d > 0.2 ORDER BY d, id LIMIT 5;

--# A float32 query is rounded to the column's type float16; other types must agree
SELECT id FROM vec_search('vectors','f16', vec_f32('[10,-20,5,3,1,-4,2,0]'), 2, '{"type":"float16"}');
SELECT id FROM vec_search('vectors','i8', vec_int8('[10,-20,5,3,1,-4,2,0]'), 2, '{"type":"int8"}');
SELECT id FROM vec_search('vectors','i8', vec_f32('[10,-20,5,3,1,-4,2,0]'), 2, '{"type":"int8"}');

-- Every element type and metric of an indexed table: the search gives what the distance functions and ORDER BY give.
-- header on
CREATE TABLE plain(id INTEGER PRIMARY KEY, v BLOB);
WITH RECURSIVE
  element(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM element WHERE j < 127),
  row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 150)
INSERT INTO plain
SELECT i, (SELECT vec_f32(json_group_array((((i % 140) * (j * 31 + 7919) + j * 104729) % 1009 - 504) / 505.0)) FROM element) FROM row;
INSERT INTO plain VALUES (1000, NULL), (1001, vec_f32(zeroblob(512)));
CREATE TABLE one AS SELECT vec_add(vec_scale(v, 0.75), vec_scale((SELECT v FROM plain WHERE id = 11), 0.5)) AS q FROM plain WHERE id = 7;

--# float32 with each metric; the dimensions 128 have codes but for l1
CREATE VIRTUAL TABLE f32 USING vecshard(v float[128], sq float[128] distance_metric=l2sq, co float[128] distance_metric=cosine, d float[128] distance_metric=dot, a float[128] distance_metric=l1);
INSERT INTO f32(rowid, v, sq, co, d, a) SELECT id, v, v, v, v, v FROM plain;
SELECT found = expected AS l2, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM f32 WHERE v MATCH (SELECT q FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l2(v, q) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS l2sq, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM f32 WHERE sq MATCH (SELECT q FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l2sq(v, q) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS cosine, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM f32 WHERE co MATCH (SELECT q FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_cosine(v, q) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS dot, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM f32 WHERE d MATCH (SELECT q FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_dot(v, q) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS l1, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM f32 WHERE a MATCH (SELECT q FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l1(v, q) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
--# the zero vector has no cosine, and is found by the others
SELECT (SELECT count(*) FROM f32 WHERE co MATCH (SELECT q FROM one) AND rowid = 1001) AS cosine, (SELECT count(*) FROM f32 WHERE d MATCH (SELECT q FROM one) AND rowid = 1001) AS dot;
SELECT count(*) AS row_count FROM f32 WHERE co MATCH vec_f32(zeroblob(512)) AND k = 5;

--# float16: the distances are those of the stored numbers
CREATE VIRTUAL TABLE f16 USING vecshard(v float16[128], co float16[128] distance_metric=cosine, d float16[128] distance_metric=dot, a float16[128] distance_metric=l1);
INSERT INTO f16(rowid, v, co, d, a) SELECT id, vec_f16(vec_f32(v)), vec_f16(vec_f32(v)), vec_f32(v), vec_f32(v) FROM plain;
SELECT found = expected AS l2, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM f16 WHERE v MATCH (SELECT vec_f16(vec_f32(q)) FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l2(vec_f16(vec_f32(v)), vec_f16(vec_f32(q))) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS cosine, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM f16 WHERE co MATCH (SELECT vec_f16(vec_f32(q)) FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_cosine(vec_f16(vec_f32(v)), vec_f16(vec_f32(q))) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS dot, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM f16 WHERE d MATCH (SELECT vec_f16(vec_f32(q)) FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_dot(vec_f16(vec_f32(v)), vec_f16(vec_f32(q))) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS l1, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM f16 WHERE a MATCH (SELECT vec_f16(vec_f32(q)) FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l1(vec_f16(vec_f32(v)), vec_f16(vec_f32(q))) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT vec_type(v) AS type, length(v) AS bytes, v IS (SELECT vec_f16(vec_f32(v)) FROM plain WHERE id = 3) AS same FROM f16 WHERE rowid = 3;

--# bfloat16: the distances are those of the stored numbers
CREATE VIRTUAL TABLE bf16 USING vecshard(v bfloat16[128], co bfloat16[128] distance_metric=cosine, d bfloat16[128] distance_metric=dot, a bfloat16[128] distance_metric=l1);
INSERT INTO bf16(rowid, v, co, d, a) SELECT id, vec_bf16(vec_f32(v)), vec_bf16(vec_f32(v)), vec_f32(v), vec_f32(v) FROM plain;
SELECT found = expected AS l2, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM bf16 WHERE v MATCH (SELECT vec_bf16(vec_f32(q)) FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l2(vec_bf16(vec_f32(v)), vec_bf16(vec_f32(q))) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS cosine, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM bf16 WHERE co MATCH (SELECT vec_bf16(vec_f32(q)) FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_cosine(vec_bf16(vec_f32(v)), vec_bf16(vec_f32(q))) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS dot, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM bf16 WHERE d MATCH (SELECT vec_bf16(vec_f32(q)) FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_dot(vec_bf16(vec_f32(v)), vec_bf16(vec_f32(q))) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS l1, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM bf16 WHERE a MATCH (SELECT vec_bf16(vec_f32(q)) FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l1(vec_bf16(vec_f32(v)), vec_bf16(vec_f32(q))) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT vec_type(v) AS type, length(v) AS bytes, v IS (SELECT vec_bf16(vec_f32(v)) FROM plain WHERE id = 3) AS same FROM bf16 WHERE rowid = 3;

--# store=f16: the column is float32, what it keeps and compares are the vectors rounded to float16
CREATE VIRTUAL TABLE half USING vecshard(v float[128] store=f16, co float[128] distance_metric=cosine store=f16);
INSERT INTO half(rowid, v, co) SELECT id, v, v FROM plain;
SELECT found = expected AS l2, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM half WHERE v MATCH (SELECT q FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l2(vec_f32(vec_f16(vec_f32(v))), q) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS cosine, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM half WHERE co MATCH (SELECT q FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_cosine(vec_f32(vec_f16(vec_f32(v))), q) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT vec_type(v) AS type, length(v) AS bytes, v IS (SELECT vec_f32(vec_f16(vec_f32(v))) FROM plain WHERE id = 3) AS same FROM half WHERE rowid = 3;

--# int8; vec_distance_l1 of int8 is an INTEGER, a distance of a search always REAL
CREATE VIRTUAL TABLE i8 USING vecshard(v int8[128], co int8[128] distance_metric=cosine, d int8[128] distance_metric=dot, a int8[128] distance_metric=l1, sq int8[128] metric=l2sq);
INSERT INTO i8(rowid, v, co, d, a, sq) SELECT id, q8, q8, q8, q8, q8 FROM (SELECT id, vec_quantize_int8(v, 'unit') AS q8 FROM plain);
SELECT found = expected AS l2, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM i8 WHERE v MATCH (SELECT vec_quantize_int8(q, 'unit') FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l2(vec_quantize_int8(v, 'unit'), vec_quantize_int8(q, 'unit')) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS cosine, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM i8 WHERE co MATCH (SELECT vec_quantize_int8(q, 'unit') FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_cosine(vec_quantize_int8(v, 'unit'), vec_quantize_int8(q, 'unit')) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS dot, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM i8 WHERE d MATCH (SELECT vec_quantize_int8(q, 'unit') FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_dot(vec_quantize_int8(v, 'unit'), vec_quantize_int8(q, 'unit')) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS l1, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM i8 WHERE a MATCH (SELECT vec_quantize_int8(q, 'unit') FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l1(vec_quantize_int8(v, 'unit'), vec_quantize_int8(q, 'unit')) + 0.0 AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS l2sq, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM i8 WHERE sq MATCH (SELECT vec_quantize_int8(q, 'unit') FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l2sq(vec_quantize_int8(v, 'unit'), vec_quantize_int8(q, 'unit')) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT vec_type(v) AS type, length(v) AS bytes FROM i8 WHERE rowid = 3;

--# bit
CREATE VIRTUAL TABLE bits USING vecshard(v bit[128], j bit[128] distance_metric=jaccard);
INSERT INTO bits(rowid, v, j) SELECT id, b, b FROM (SELECT id, vec_quantize_binary(v) AS b FROM plain);
SELECT found = expected AS hamming, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM bits WHERE v MATCH (SELECT vec_quantize_binary(q) FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_hamming(vec_quantize_binary(v), vec_quantize_binary(q)) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT found = expected AS jaccard, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM bits WHERE j MATCH (SELECT vec_quantize_binary(q) FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_jaccard(vec_quantize_binary(v), vec_quantize_binary(q)) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY distance, id));
SELECT vec_type(v) AS type, length(v) AS bytes FROM bits WHERE rowid = 3;

--# the query may be of another float type, never of another kind; JSON text fits all
SELECT (SELECT group_concat(rowid) FROM (SELECT rowid FROM f32 WHERE v MATCH (SELECT vec_f16(vec_f32(q)) FROM one) AND k = 5)) =
       (SELECT group_concat(id) FROM (SELECT id FROM plain, one WHERE v IS NOT NULL ORDER BY vec_distance_l2(v, vec_f32(vec_f16(vec_f32(q)))), id LIMIT 5)) AS same;
SELECT (SELECT group_concat(rowid) FROM (SELECT rowid FROM i8 WHERE v MATCH (SELECT vec_to_json(vec_quantize_int8(q, 'unit')) FROM one) AND k = 5)) =
       (SELECT group_concat(rowid) FROM (SELECT rowid FROM i8 WHERE v MATCH (SELECT vec_quantize_int8(q, 'unit') FROM one) AND k = 5)) AS same;
SELECT rowid FROM f32 WHERE v MATCH (SELECT vec_quantize_int8(q, 'unit') FROM one) AND k = 5;
SELECT rowid FROM i8 WHERE v MATCH (SELECT q FROM one) AND k = 5;
SELECT rowid FROM bits WHERE v MATCH (SELECT vec_quantize_int8(q, 'unit') FROM one) AND k = 5;
INSERT INTO i8(v) SELECT v FROM plain WHERE id = 1;
INSERT INTO i8(v) VALUES ('[300]');
INSERT INTO f16(v) VALUES ('[1e6]');
--# another metric by the options: the vectors are compared without codes
SELECT (SELECT group_concat(rowid || ':' || distance) FROM (SELECT rowid, distance FROM f32((SELECT q FROM one), 9, '{"metric":"cosine"}'))) =
       (SELECT group_concat(id || ':' || distance) FROM (SELECT id, vec_distance_cosine(v, q) AS distance FROM plain, one WHERE distance IS NOT NULL ORDER BY 2, 1 LIMIT 9)) AS same;
SELECT rowid FROM bits(vec_bit(zeroblob(16)), 9, '{"metric":"l2"}');
INSERT INTO f32(f32) VALUES ('integrity-check');
INSERT INTO f16(f16) VALUES ('integrity-check');
INSERT INTO bf16(bf16) VALUES ('integrity-check');
INSERT INTO half(half) VALUES ('integrity-check');
INSERT INTO i8(i8) VALUES ('integrity-check');
INSERT INTO bits(bits) VALUES ('integrity-check');

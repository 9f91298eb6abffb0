-- On a machine without a GPU everything about one can be asked, set and loaded, and answers are the CPU's.
-- header on

--# what there is
SELECT vec_device() LIKE 'cpu % (cuda: no module)' AS is_cpu, json_valid(vec_device('json')) AS is_json;
SELECT vec_device('json') ->> 'state' AS state, vec_device('json') ->> 'detail' AS detail, vec_device('json') ->> 'error_class' AS class, vec_device('json') ->> 'name' AS name,
       vec_device('json') ->> 'images' AS images, vec_device('json') ->> 'used_bytes' AS used_bytes;
SELECT device, name IS NOT NULL AS has_name, state, total_mb, free_mb, budget_mb, used_mb, context_mb, low_water_mb FROM vec_devices;
SELECT * FROM vec_gpu_cache;
SELECT name FROM pragma_table_info('vec_devices');
SELECT name FROM pragma_table_info('vec_gpu_cache');
SELECT name FROM pragma_table_xinfo('vec_stats') WHERE name LIKE 'gpu%' OR name LIKE 'surv%';

--# tables to search
CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO docs SELECT i, vec_f32(json_array(i % 7, i % 11, i % 13, i)) FROM n;
CREATE VIRTUAL TABLE t USING vecshard(v float[4], tag INTEGER);
INSERT INTO t(rowid, v, tag) SELECT id, v, id % 3 FROM docs;
CREATE TABLE two(id INTEGER PRIMARY KEY, a BLOB, b BLOB);
INSERT INTO two SELECT id, v, v FROM docs;

--# nothing is asked before the first search
SELECT vec_last_query() AS words, vec_last_query('json') AS json;

--# the option
SELECT id, distance FROM vec_search('docs', 'v', '[1,2,3,4]', 2, '{"device":"gpu"}');
SELECT vec_last_query('json') ->> 'device' AS device, vec_last_query('json') ->> 'target' AS target, vec_last_query('json') ->> 'rows_returned' AS rows;
SELECT id, distance FROM vec_search('docs', 'v', '[1,2,3,4]', 2, '{"device":"cpu"}');
SELECT id, distance FROM vec_search('docs', 'v', '[1,2,3,4]', 2, '{"device":"auto"}');
SELECT rowid, distance FROM t('[1,2,3,4]', 2, '{"device":"gpu"}') WHERE tag = 1;
SELECT query_no, id, distance FROM vec_search_batch('t', 'v', '[[1,2,3,4],[5,6,7,8]]', 2, '{"device":"gpu"}');
SELECT id FROM vec_search('docs', 'v', '[1,2,3,4]', 2, '{"device":"tpu"}');
SELECT id FROM vec_search('docs', 'v', '[1,2,3,4]', 2, '{"device":1}');
SELECT rowid FROM t('[1,2,3,4]', 2, '{"device":"cuda:0"}');

--# the commands do nothing, and do not fail
SELECT vec_gpu_load('docs') AS a, vec_gpu_load('docs', 'v') AS b, vec_gpu_load('docs', 'f16') AS c, vec_gpu_load('main.docs', 'v', 'int8') AS d,
       vec_gpu_load('docs', 'v', 'f32', '{"metric":"dot"}') AS e, vec_gpu_load('t', 'v', 'auto') AS f;
SELECT vec_gpu_evict('docs') AS a, vec_gpu_evict('docs', 'v') AS b, vec_gpu_evict('t', 'v') AS c, vec_gpu_evict(NULL) AS d;
SELECT count(*) AS cached FROM vec_gpu_cache;

--# without a column: the only one of vectors, also of an empty table, of several for evicting
CREATE VIRTUAL TABLE faces USING vecshard(a float[4], tag INTEGER, b int8[4], +note);
CREATE TABLE later(id INTEGER PRIMARY KEY, note TEXT, v BLOB);
SELECT vec_gpu_load('t') AS a, vec_gpu_load('t', 'f16') AS b, vec_gpu_load('later') AS c, vec_gpu_evict('later') AS d, vec_gpu_evict('faces') AS e;
SELECT vec_gpu_load('faces');
INSERT INTO later VALUES (1, 'no vector', NULL), (2, 'text', '[1,2,3,4]');
SELECT vec_gpu_load('later');
INSERT INTO later SELECT id + 2, 'one', v FROM docs;
DELETE FROM later WHERE id = 2;
SELECT vec_gpu_load('later') AS a;

--# names as a search takes them
CREATE TABLE "a.b ""c"(id INTEGER PRIMARY KEY, v BLOB, f16 BLOB, note TEXT);
INSERT INTO "a.b ""c" SELECT id, v, NULL, 'x' FROM docs;
ATTACH ':memory:' AS "x.y";
CREATE TABLE "x.y".d(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO "x.y".d SELECT * FROM docs;
SELECT vec_gpu_load('a.b "c') AS a, vec_gpu_load('main.a.b "c', 'v') AS b, vec_gpu_load('x.y.d') AS c, vec_gpu_evict('x.y.d', 'v') AS d;
SELECT vec_gpu_evict('docs', 'f16');
CREATE VIEW seen AS SELECT id, v FROM docs;
SELECT vec_gpu_load('seen');
SELECT vec_gpu_load('seen', 'v');
DETACH "x.y";

--# their errors
SELECT vec_gpu_load('missing');
SELECT vec_gpu_load('missing', 'v');
SELECT vec_gpu_load('docs', 'missing');
SELECT vec_gpu_load('docs', 'v', 'f64');
SELECT vec_gpu_load('docs', 'v', 'f16', '{"colour":"red"}');
SELECT vec_gpu_load('docs', 'v', 'f16', 'no json');
SELECT vec_gpu_load('two');
SELECT vec_gpu_load(NULL);
SELECT vec_gpu_load('docs', NULL);
SELECT vec_gpu_evict('missing');
SELECT vec_gpu_evict('docs', 'missing');
SELECT vec_device('xml');
SELECT vec_device(NULL) IS NULL AS a, vec_last_query(NULL) IS NULL AS b;
SELECT vec_last_query('xml');
SELECT vec_gpu_load();
SELECT vec_gpu_evict();

--# settings
SELECT vec_config('gpu') AS gpu, vec_config('gpu_budget_mb') AS budget, vec_config('gpu_min_rows') AS min_rows,
       vec_config('gpu_precision') AS precision, vec_config('gpu_idle_s') AS idle;
SELECT vec_config('gpu', 'prefer') AS gpu, vec_config('gpu_budget_mb', 512) AS budget, vec_config('gpu_min_rows', 100) AS min_rows,
       vec_config('gpu_precision', 'int8') AS precision, vec_config('gpu_idle_s', 0) AS idle;
SELECT vec_config('gpu') AS gpu, vec_config('gpu_budget_mb') AS budget, vec_config('gpu_min_rows') AS min_rows,
       vec_config('gpu_precision') AS precision, vec_config('gpu_idle_s') AS idle;
SELECT id, distance FROM vec_search('docs', 'v', '[1,2,3,4]', 2);
SELECT rowid, distance FROM t('[1,2,3,4]', 2);
SELECT vec_config('gpu', 'on');
SELECT vec_config('gpu_budget_mb', -1);
SELECT vec_config('gpu_budget_mb', 'much');
SELECT vec_config('gpu_min_rows', 1e10);
SELECT vec_config('gpu_precision', 'f64');
SELECT vec_config('gpu_idle_s', 100000);
SELECT vec_config('gpu', 'off');

--# what changes something is not for views and triggers of the database
CREATE VIEW loads AS SELECT vec_gpu_load('docs', 'v') AS bytes;
SELECT bytes FROM loads;
CREATE VIEW evicts AS SELECT vec_gpu_evict(NULL) AS bytes;
SELECT bytes FROM evicts;
CREATE TABLE log(x);
CREATE TRIGGER evict AFTER INSERT ON log BEGIN SELECT vec_gpu_evict(NULL); END;
INSERT INTO log VALUES (1);
CREATE VIEW devices AS SELECT vec_device() LIKE 'cpu%' AS is_cpu, vec_last_query('json') ->> 'target' AS target;
SELECT is_cpu, target FROM devices;

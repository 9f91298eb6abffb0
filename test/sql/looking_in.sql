-- vec_kernels, vec_stats, vec_jobs, vec_config, vec_version and vec_debug tell what runs and what was done.
-- header on
--# every operation of every element type runs at a level that this CPU has
SELECT count(*) > 30 AS has_rows, count(DISTINCT operation || '/' || element_type) = count(*) AS is_unique,
       sum(level IS NULL OR level NOT GLOB '[a-z]*') AS unnamed FROM vec_kernels;
SELECT DISTINCT element_type FROM vec_kernels ORDER BY 1;
SELECT group_concat(operation, ' ') AS canonical FROM (SELECT DISTINCT operation FROM vec_kernels WHERE operation IN ('dot', 'l2sq', 'l1', 'sumsq', 'hamming', 'jaccard') ORDER BY 1);
SELECT sum(k.level = 'scalar' OR vec_config('cpu') <> 'scalar') = count(*) AS none_above_the_limit FROM vec_kernels AS k;

--# vec_stats counts, per column, operation and strategy
CREATE TABLE docs(id INTEGER PRIMARY KEY, embedding BLOB);
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 4000) INSERT INTO docs SELECT i, vec_f32(json_array(i, 1)) FROM row;
SELECT count(*) AS row_count FROM vec_stats;
SELECT count(*) AS hits FROM vec_search('docs', 'embedding', '[7,1]', 5);
SELECT count(*) AS hits FROM vec_search('docs', 'embedding', '[7,1]', 5);
SELECT count(*) AS hits FROM vec_search_batch('docs', 'embedding', '[[7,1],[8,1]]', 5);
CREATE INDEX docs_norm ON docs(vec_norm(embedding));
SELECT count(*) AS hits FROM vec_search('docs', 'embedding', '[7,1]', 5);
SELECT target, operation, strategy, calls, rows_read > 0 AS has_read, rows_read >= rows_finished AS is_sound, rows_skipped, rows_returned, fallbacks, time_ms >= 0 AS has_time
FROM vec_stats ORDER BY target, operation, strategy;
SELECT rows_read AS rows_of_two_passes FROM vec_stats WHERE operation = 'vec_search' AND strategy = 'pass';
SELECT rows_read < 1000 AS has_pruned FROM vec_stats WHERE strategy = 'norm index';
--# counting can be turned off
SELECT vec_config('stats'), vec_config('stats', 0);
SELECT count(*) AS hits FROM vec_search('docs', 'embedding', '[7,1]', 5, '{"metric":"l1"}');
SELECT calls FROM vec_stats WHERE operation = 'vec_search' AND strategy = 'pass';
SELECT vec_config('stats', 1);

--# vec_jobs has a row for each search that is running, and none does here
SELECT count(*) AS row_count FROM vec_jobs;
SELECT * FROM vec_jobs;

--# settings
SELECT vec_config('norm_index'), vec_config('norm_index', 'off'), vec_config('norm_index'), vec_config('norm_index', 'auto');
SELECT vec_config('cpu') = (SELECT level FROM vec_kernels WHERE operation = 'rank_dot' AND element_type = 'float32') AS is_level;
SELECT vec_config('colour');
SELECT vec_config('norm_index', 'sometimes');
SELECT vec_config('stats', 7);
SELECT vec_config('cpu', 'scalar');
SELECT vec_config(NULL) IS NULL AS is_null;
--# versions
SELECT vec_version() GLOB 'v[0-9]*.[0-9]*.[0-9]*' AS is_version;
SELECT vec_debug() GLOB '*Version: v*Compiler: *Kernel levels compiled: *Kernel level in use: *zstd: *CUDA: *SQLite: *' AS is_complete;

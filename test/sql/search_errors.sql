-- Every wrong argument of vec_search gets one sentence that names it, and the connection goes on.
CREATE TABLE docs(id INTEGER PRIMARY KEY, embedding BLOB);
INSERT INTO docs VALUES (1, vec_f32('[1,0]')), (2, vec_f32('[0,1]'));
CREATE INDEX docs_norm ON docs(vec_norm(embedding));
CREATE INDEX docs_other ON docs(length(embedding));

--# missing arguments
SELECT id FROM vec_search;
SELECT id FROM vec_search('docs');
SELECT id FROM vec_search('docs', 'embedding');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{}', 6);
--# k by another comparison than =
SELECT id FROM vec_search('docs', 'embedding', '[1,0]') WHERE k <= 5;
SELECT id FROM vec_search('docs', 'embedding', '[1,0]') WHERE k BETWEEN 1 AND 5;
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[1,0]') WHERE k IS NULL;
--# table and column
SELECT id FROM vec_search('none', 'embedding', '[1,0]', 1);
SELECT id FROM vec_search('docs', 'none', '[1,0]', 1);
SELECT id FROM vec_search('none.docs', 'embedding', '[1,0]', 1);
SELECT id FROM vec_search('', 'embedding', '[1,0]', 1);
SELECT id FROM vec_search(NULL, 'embedding', '[1,0]', 1);
SELECT id FROM vec_search('docs', NULL, '[1,0]', 1);
SELECT id FROM vec_search(7, 'embedding', '[1,0]', 1);
SELECT id FROM vec_search('docs', 7, '[1,0]', 1);
SELECT id FROM vec_search('docs', 'rowid', '[1,0]', 1);
SELECT id FROM vec_search('docs', 'a name that is far too long for any column, because names have at most 128 bytes in a search, and this one has quite a few more than that, see', '[1,0]', 1);
SELECT name FROM vec_search('docs', 'embedding', '[1,0]', 1);
--# the query
SELECT id FROM vec_search('docs', 'embedding', '[1,0', 1);
SELECT id FROM vec_search('docs', 'embedding', '[]', 1);
SELECT id FROM vec_search('docs', 'embedding', '[1,NaN]', 1);
SELECT id FROM vec_search('docs', 'embedding', '[1,1e999]', 1);
SELECT id FROM vec_search('docs', 'embedding', 'north', 1);
SELECT id FROM vec_search('docs', 'embedding', 1.5, 1);
SELECT id FROM vec_search('docs', 'embedding', x'0102', 1);
SELECT id FROM vec_search('docs', 'embedding', x'', 1);
SELECT id FROM vec_search('docs', 'embedding', x'0000c07f00000000', 1);
SELECT id FROM vec_search('docs', 'embedding', '[1,0,0]', 1);
SELECT id FROM vec_search('docs', 'embedding', vec_int8('[1,0]'), 1);
SELECT id FROM vec_search('docs', 'embedding', vec_bit('[1,0,1,0,1,0,1,0]'), 1);
--# k
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', -1);
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1000001);
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 2.5);
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 'two');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', x'02');
--# options
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, 'metric=l2');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '[1]');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, 7);
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"speed":11}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"Metric":"l2"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"metric":"euclid"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"metric":2}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"metric":null}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"metric":"hamming"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"type":"float64"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"type":"bit","metric":"l2"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"mode":"fast"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"recall":0.95}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"device":"tpu"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"bad_rows":"fix"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"norm_band":-1}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"norm_band":"wide"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"type":"bit","norm_band":1}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"index":"none"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"index":1}');
--# words end where they end
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"metric":"l1\u0000zzz"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"index":"docs_norm\u0000"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{}' || char(0) || 'and more');
SELECT id FROM vec_search('docs' || char(0), 'embedding', '[1,0]', 1);
SELECT id FROM vec_search_batch('docs', 'embedding' || char(0), '[[1,0]]', 1);
--# options are text; what a message quotes is made UTF-8
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, x'7b7d');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, x'5cff01');
SELECT id FROM vec_search('docs', x'ff', '[1,0]', 1);
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"metric":"\ud800"}');
SELECT id FROM vec_search(CAST(x'e2ff' AS TEXT), 'embedding', '[1,0]', 1);
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"metric":"ünbekannt"}');
--# a column that holds no vectors at all
SELECT id FROM vec_search('docs', 'id', '[1,0]', 1);
--# too many conditions on one search
SELECT id FROM vec_search WHERE rank > 0 AND rank > 1 AND rank > 2 AND rank > 3 AND rank > 4 AND rank > 5 AND rank > 6 AND rank > 7 AND rank > 8 AND rank > 9 AND rank > 10
  AND rank > 11 AND rank > 12 AND rank > 13 AND rank > 14 AND tbl = 'docs' AND col = 'embedding' AND query = '[1,0]';

--# what may be said, though it is the default: accepted
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"mode":"exact","device":"auto","bad_rows":"error","metric":"l2","type":"float32"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{"device":"cpu"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, '{}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1, NULL);
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', '1');
--# a plan is an error too when its words are wrong
EXPLAIN QUERY PLAN SELECT id FROM vec_search('none', 'embedding', '[1,0]', 1);
--# writing is not for searches
INSERT INTO vec_search(id) VALUES (1);
DELETE FROM vec_search WHERE id = 1;
CREATE VIRTUAL TABLE t USING vec_search(docs, embedding);
--# after all of this
SELECT id, distance FROM vec_search('docs', 'embedding', '[1,0]', 2);

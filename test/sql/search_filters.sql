-- Conditions on id, distance and rank go into the search, and give what a plain query with the same conditions gives.
CREATE TABLE docs(id INTEGER PRIMARY KEY, lang TEXT, created INTEGER, embedding BLOB);
WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < 1000)
INSERT INTO docs SELECT i, CASE i % 5 WHEN 0 THEN 'fr' ELSE 'en' END, i / 10, vec_f32(json_array(i * 37 % 101, i * 53 % 97, i * 71 % 89)) FROM row;
CREATE TEMP VIEW truth AS SELECT id, lang, created, vec_distance_l2(embedding, '[50,40,30]') AS distance FROM docs ORDER BY distance, id;
-- header on

--# id IN (SELECT ...) restricts the rows before the k nearest are taken
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]', 5) WHERE id IN (SELECT id FROM docs WHERE lang = 'fr');
SELECT group_concat(id) AS ids FROM vec_search('docs', 'embedding', '[50,40,30]', 5) WHERE id IN (SELECT id FROM docs WHERE lang = 'fr');
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth WHERE lang = 'fr' LIMIT 5);
--# a list of values; duplicates count once; values that are no id match nothing
SELECT group_concat(id) AS ids FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id IN (7, 7, 400, 12, 12, NULL, 'x', 3.5, -8, 99999, 55.0, '801');
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth WHERE id IN (7, 400, 12, 55, 801) LIMIT 3);
--# an empty list
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id IN (SELECT id FROM docs WHERE lang = 'de');
--# one id
EXPLAIN QUERY PLAN SELECT id, distance FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id = 77;
SELECT id, distance FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id = 77;
SELECT id, distance FROM truth WHERE id = 77;
SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id IN (77);
--# a list of most rows
SELECT group_concat(id) AS ids FROM vec_search('docs', 'embedding', '[50,40,30]', 5) WHERE id IN (SELECT id FROM docs WHERE lang = 'en');
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth WHERE lang = 'en' LIMIT 5);
--# with a stream
SELECT group_concat(id) AS ids FROM (SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE id IN (SELECT id FROM docs WHERE lang = 'fr') LIMIT 4 OFFSET 100);
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth WHERE lang = 'fr' LIMIT 4 OFFSET 100);
--# NOT IN is applied by SQLite: a stream goes on until LIMIT is reached
SELECT group_concat(id) AS ids FROM (SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE id NOT IN (SELECT id FROM truth LIMIT 100) LIMIT 3);
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth LIMIT 3 OFFSET 100);

--# a range of distances without k: everything within it
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance < 9;
SELECT count(*) AS found, (SELECT count(*) FROM truth WHERE distance < 9) AS expected FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance < 9;
SELECT count(*) AS found, (SELECT count(*) FROM truth WHERE distance <= 25) AS expected FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance <= 25;
SELECT count(*) AS found, (SELECT count(*) FROM truth WHERE distance > 60) AS expected FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance > 60;
SELECT count(*) AS found, (SELECT count(*) FROM truth WHERE distance >= 60) AS expected FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance >= 60;
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance BETWEEN 20 AND 30;
SELECT count(*) AS found, (SELECT count(*) FROM truth WHERE distance BETWEEN 20 AND 30) AS expected
FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance BETWEEN 20 AND 30;
--# the bound itself belongs to <= and not to <; the 10th distance is taken as bound
SELECT (SELECT count(*) FROM vec_search('docs', 'embedding', '[50,40,30]') AS s WHERE s.distance < b.bound) AS below,
       (SELECT count(*) FROM vec_search('docs', 'embedding', '[50,40,30]') AS s WHERE s.distance <= b.bound) AS up_to,
       (SELECT count(*) FROM vec_search('docs', 'embedding', '[50,40,30]') AS s WHERE s.distance = b.bound) AS at,
       (SELECT count(*) FROM truth WHERE distance < b.bound) AS expected_below,
       (SELECT count(*) FROM truth WHERE distance <= b.bound) AS expected_up_to
FROM (SELECT distance AS bound FROM truth LIMIT 1 OFFSET 9) AS b;
--# a range with k: the k nearest of those within it
SELECT group_concat(id) AS ids FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE distance > 20;
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth WHERE distance > 20 LIMIT 3);
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[50,40,30]', 500) WHERE distance < 9;
--# ranges that hold nothing
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance < 0;
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance < 20 AND distance > 30;
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance < NULL;
--# text is above every number, as everywhere in SQLite
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance < 'x';
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance > 'x';
--# range and list together
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance < 20 AND id IN (SELECT id FROM docs WHERE lang = 'fr');
SELECT count(*) AS found, (SELECT count(*) FROM truth WHERE distance < 20 AND lang = 'fr') AS expected
FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance < 20 AND id IN (SELECT id FROM docs WHERE lang = 'fr');

--# rank bounds the rows that are fetched
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE rank <= 3;
SELECT id, rank FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE rank <= 3;
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth LIMIT 3);
SELECT id, rank FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE rank < 3;
SELECT id, rank FROM vec_search('docs', 'embedding', '[50,40,30]', 5) WHERE rank = 4;
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth LIMIT 1 OFFSET 3);
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE rank <= 0;

--# OR is left to SQLite, and complete
SELECT count(*) AS found, (SELECT count(*) FROM truth WHERE distance < 9 OR id IN (1, 2, 3)) AS expected
FROM vec_search('docs', 'embedding', '[50,40,30]') WHERE distance < 9 OR id IN (1, 2, 3);

--# with k, what stands in an OR filters the k rows
SELECT count(*) AS row_count FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id IN (1, 2) OR id IN (3, 4);
SELECT group_concat(id) AS ids FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE distance > 1000 OR id IN (SELECT id FROM truth LIMIT 2);
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth LIMIT 2);
--# a list bound as JSON, of one or of many
SELECT group_concat(id) AS ids FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id IN (SELECT value FROM json_each('[77]'));
SELECT group_concat(id) AS ids FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id IN (SELECT value FROM json_each('[77,78,79,80]'));
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth WHERE id IN (77, 78, 79, 80) LIMIT 3);

--# a composite index serves the list: SQLite finds the ids with it, the search reads only those rows
CREATE INDEX docs_lang_created ON docs(lang, created);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id IN (SELECT id FROM docs WHERE lang = 'fr' AND created >= 90);
SELECT group_concat(id) AS ids FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id IN (SELECT id FROM docs WHERE lang = 'fr' AND created >= 90);
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth WHERE lang = 'fr' AND created >= 90 LIMIT 3);
--# a partial index serves the list too
CREATE INDEX docs_old ON docs(created) WHERE created < 10;
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id IN (SELECT id FROM docs WHERE created < 10);
SELECT group_concat(id) AS ids FROM vec_search('docs', 'embedding', '[50,40,30]', 3) WHERE id IN (SELECT id FROM docs WHERE created < 10);
SELECT group_concat(id) AS ids FROM (SELECT id FROM truth WHERE created < 10 LIMIT 3);

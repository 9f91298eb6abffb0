-- Every form of a search of an indexed table gives what comparing with every row gives: rows, distances and their order.
.read test/sql/index_rows.inc
-- header on
SELECT count(*) AS row_count, count(DISTINCT distance) AS distances, (SELECT count(*) FROM docs_codes0) AS coded_cells FROM truth;
--# the ten nearest of all, in the order of (distance, rowid): the six rows with one vector are among them
SELECT group_concat(id, ' ') AS ids FROM (SELECT id FROM nearest LIMIT 10);

--# MATCH and k
EXPLAIN QUERY PLAN SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 10;
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 10)),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest LIMIT 10));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs WHERE k = 200 AND v MATCH (SELECT q FROM one))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest LIMIT 200));
--# k above the number of rows gives all of them, k = 0 none
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 1000000)),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest LIMIT -1));
SELECT count(*) AS row_count FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 0;
--# k is a number from 0 to 1,000,000; it needs a query; and the query a vector of the column's size
SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 1000001;
SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k = -1;
SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 'many';
SELECT rowid FROM docs WHERE k = 5;
SELECT rowid FROM docs WHERE v MATCH '[1, 2, 3]' AND k = 5;
SELECT rowid FROM docs WHERE v MATCH 'near me' AND k = 5;
SELECT rowid FROM docs WHERE title MATCH 'title' AND k = 5;
SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND v MATCH (SELECT q FROM one) AND k = 5;
--# k is given by =: any other comparison is an error where a search is, and nowhere else
SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k <= 5;
SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k < 5;
SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k >= 5;
SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND 5 < k;
SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k <> 5;
SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k BETWEEN 1 AND 5;
SELECT rowid FROM docs((SELECT q FROM one)) WHERE k <= 5;
SELECT d.rowid FROM one, docs AS d WHERE d.v MATCH one.q AND d.k < length(one.q);
EXPLAIN QUERY PLAN SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k <= 5;
SELECT count(*) AS row_count FROM docs WHERE v MATCH (SELECT q FROM one) AND k IN (3, 4);
SELECT count(*) AS row_count FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 4 AND k <= 5;
SELECT count(*) AS row_count FROM docs((SELECT q FROM one), 4) WHERE k BETWEEN 1 AND 5;
SELECT count(*) = (SELECT count(*) FROM nearest) AS same FROM docs WHERE v MATCH (SELECT q FROM one) AND k IS NULL;
SELECT count(*) AS row_count FROM docs WHERE v MATCH (SELECT q FROM one) AND k IS NOT NULL;
SELECT count(*) = (SELECT count(*) FROM nearest) AS same FROM docs WHERE v MATCH (SELECT q FROM one) AND k IS NOT 5;
SELECT count(*) = (SELECT count(*) FROM nearest) AS same FROM docs WHERE v MATCH (SELECT q FROM one) AND (k <= 5 OR k IS NULL);
SELECT count(*) AS row_count FROM docs WHERE v MATCH (SELECT q FROM one) AND (k <= 5 OR rowid = (SELECT id FROM nearest LIMIT 1));
SELECT count(*) AS row_count FROM docs WHERE k <= 5;
SELECT count(*) AS row_count FROM one WHERE EXISTS (SELECT 1 WHERE 0) AND EXISTS (SELECT 1 FROM docs WHERE v MATCH one.q AND k <= 5);
--# NULL is near to nothing; k NULL is no k
SELECT count(*) AS row_count FROM docs WHERE v MATCH NULL AND k = 5;
SELECT count(*) AS row_count FROM docs WHERE v MATCH (SELECT q FROM one) AND k = NULL;
SELECT count(*) AS row_count FROM docs((SELECT q FROM one), NULL);

--# LIMIT, and LIMIT with OFFSET
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) ORDER BY distance LIMIT 12)),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest LIMIT 12));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) LIMIT 12 OFFSET 90)),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest LIMIT 12 OFFSET 90));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) ORDER BY distance LIMIT 20 OFFSET 590)),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest LIMIT 20 OFFSET 590));
SELECT count(*) AS row_count FROM (SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) LIMIT 0);
SELECT count(*) AS row_count FROM (SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) LIMIT -1 OFFSET 5);
--# with k and LIMIT the smaller counts
SELECT count(*) AS row_count FROM (SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 9 LIMIT 4);
SELECT count(*) AS row_count FROM (SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 4 LIMIT 9);
SELECT group_concat(rowid, ' ') = (SELECT group_concat(id, ' ') FROM (SELECT id FROM nearest LIMIT 3 OFFSET 6)) AS same, count(*) AS row_count
FROM (SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 9 LIMIT 4 OFFSET 6);

--# table-valued: the first vector column, k, options
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs((SELECT q FROM one), 10))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest LIMIT 10));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs((SELECT q FROM one), 10, '{"metric":"l1"}'))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l1(v, q) AS distance FROM plain, one ORDER BY 2, 1 LIMIT 10));
SELECT rowid FROM docs((SELECT q FROM one), 10, '{"metric":"hamming"}');
SELECT rowid FROM docs((SELECT q FROM one), 10, '{"colour":"red"}');
SELECT rowid FROM docs((SELECT q FROM one), 10, 'red');

--# a stream: every row by (distance, rowid)
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs((SELECT q FROM one)))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest LIMIT -1));

--# ranges of the distance: the first bound is the 30th distance itself, the second the 60th
CREATE TABLE bound AS SELECT (SELECT distance FROM nearest LIMIT 1 OFFSET 29) AS lo, (SELECT distance FROM nearest LIMIT 1 OFFSET 59) AS hi;
SELECT (SELECT count(*) FROM docs((SELECT q FROM one)) WHERE distance < lo) AS below, (SELECT count(*) FROM truth WHERE distance < lo) AS expected,
       (SELECT count(*) FROM docs((SELECT q FROM one)) WHERE distance <= lo) AS up_to, (SELECT count(*) FROM truth WHERE distance <= lo) AS expected,
       (SELECT count(*) FROM docs((SELECT q FROM one)) WHERE distance > lo) AS above, (SELECT count(*) FROM truth WHERE distance > lo) AS expected,
       (SELECT count(*) FROM docs((SELECT q FROM one)) WHERE distance >= lo) AS from_it, (SELECT count(*) FROM truth WHERE distance >= lo) AS expected,
       (SELECT count(*) FROM docs((SELECT q FROM one)) WHERE distance = lo) AS at, (SELECT count(*) FROM truth WHERE distance = lo) AS expected
FROM bound;
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count
      FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) AND distance BETWEEN (SELECT lo FROM bound) AND (SELECT hi FROM bound))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest WHERE distance BETWEEN (SELECT lo FROM bound) AND (SELECT hi FROM bound)));
--# k counts the rows within the range
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count
      FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 7 AND distance > (SELECT lo FROM bound))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest WHERE distance > (SELECT lo FROM bound) LIMIT 7));
SELECT count(*) AS row_count FROM docs((SELECT q FROM one)) WHERE distance < 0;
SELECT count(*) AS row_count FROM docs((SELECT q FROM one)) WHERE distance < NULL;
SELECT count(*) AS row_count FROM docs((SELECT q FROM one)) WHERE distance < 'x';
SELECT count(*) AS row_count FROM docs((SELECT q FROM one), 5) WHERE distance > 'x';

--# rowid = a literal and rowid IN (...) come before k: of a list, once per value and never more than k
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count
      FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 4 AND rowid IN (5, 5, 100, 207, 307, 333, 334, NULL, 'x', -1, 9999))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest WHERE id IN (5, 100, 207, 307, 333, 334) LIMIT 4));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count
      FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 6 AND rowid IN (SELECT id FROM plain WHERE title LIKE '%3'))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest WHERE title LIKE '%3' LIMIT 6));
SELECT rowid, distance = (SELECT distance FROM truth WHERE id = 333) AS same FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 5 AND rowid = 333;
SELECT count(*) AS row_count FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 5 AND rowid IN (SELECT id FROM plain WHERE id < 0);
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count
      FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 6 AND rowid BETWEEN 100 AND 130)),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest WHERE id BETWEEN 100 AND 130 LIMIT 6));

--# ORDER BY: ascending is the search's own order, descending and all others are sorted
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) ORDER BY distance DESC, rowid LIMIT 10)),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM truth ORDER BY distance DESC, id LIMIT 10));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 10 ORDER BY distance DESC, rowid DESC)),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM (SELECT id, distance FROM nearest LIMIT 10) ORDER BY distance DESC, id DESC LIMIT 10));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 10 ORDER BY rowid)),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM (SELECT id, distance FROM nearest LIMIT 10) ORDER BY id LIMIT 10));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid) AS found, count(*) AS row_count FROM (SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) ORDER BY created DESC, rowid LIMIT 10)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM truth ORDER BY created DESC, id LIMIT 10));

--# the query from another table: a correlated subquery, and a join that searches for each of its rows
SELECT count(*) AS row_count, sum(found = expected) AS same
FROM (SELECT (SELECT group_concat(rowid || ':' || distance) FROM (SELECT rowid, distance FROM docs WHERE v MATCH p.v AND k = 3 AND rowid <> p.id)) AS found,
             (SELECT group_concat(id || ':' || distance) FROM (SELECT o.id, vec_distance_l2(o.v, p.v) AS distance FROM plain AS o WHERE o.id <> p.id ORDER BY 2, 1 LIMIT 3)) AS expected
      FROM plain AS p WHERE p.id % 60 = 1);
SELECT count(*) AS row_count, count(DISTINCT p.id) AS searches, sum(d.distance = vec_distance_l2(p.v, (SELECT v FROM plain WHERE id = d.rowid))) AS same_distance
FROM plain AS p JOIN docs AS d ON d.v MATCH p.v AND d.k = 4 WHERE p.id IN (1, 2, 3);
SELECT found = expected AS same
FROM (SELECT group_concat(p || '>' || d) AS found FROM (SELECT p.id AS p, d.rowid AS d FROM plain AS p, docs(p.v, 4) AS d WHERE p.id IN (1, 2, 3) ORDER BY p.id, d.distance, d.rowid)),
     (SELECT group_concat(p || '>' || d) AS expected
      FROM (SELECT p, d FROM (SELECT a.id AS p, b.id AS d, row_number() OVER (PARTITION BY a.id ORDER BY vec_distance_l2(a.v, b.v), b.id) AS place
                              FROM plain AS a, plain AS b WHERE a.id IN (1, 2, 3)) WHERE place <= 4 ORDER BY p, place));
--# two searches of one table, joined
SELECT count(*) AS both, (SELECT count(*) FROM (SELECT id FROM nearest LIMIT 50) AS a
                          JOIN (SELECT id FROM plain ORDER BY vec_distance_l2(v, (SELECT v FROM plain WHERE id = 11)), id LIMIT 50) AS b USING (id)) AS expected
FROM docs AS a JOIN docs AS b ON b.rowid = a.rowid
WHERE a.v MATCH (SELECT q FROM one) AND a.k = 50 AND b.v MATCH (SELECT v FROM plain WHERE id = 11) AND b.k = 50;
--# a join with k: which of the k nearest have a partner
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid) AS found, count(*) AS row_count
      FROM (SELECT d.rowid FROM docs AS d JOIN plain AS p ON p.id = d.rowid WHERE d.v MATCH (SELECT q FROM one) AND d.k = 20 AND p.id % 2 = 0 ORDER BY d.distance)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM (SELECT id FROM nearest LIMIT 20) WHERE id % 2 = 0));

--# LEFT JOIN keeps the rows for which nothing is found; k and conditions may come from the other table
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(p || '>' || d) AS found, count(*) AS row_count
      FROM (SELECT p.id AS p, coalesce(d.rowid, 'none') AS d
            FROM plain AS p LEFT JOIN docs AS d ON d.v MATCH p.v AND d.k = 2 AND d.lang = p.lang AND d.rowid <> p.id WHERE p.id < 6 ORDER BY p.id, d.distance, d.rowid)),
     (SELECT group_concat(p || '>' || d) AS expected
      FROM (SELECT p, d FROM (SELECT a.id AS p, coalesce(b.id, 'none') AS d, row_number() OVER (PARTITION BY a.id ORDER BY vec_distance_l2(a.v, b.v), b.id) AS place
                              FROM plain AS a LEFT JOIN plain AS b ON b.lang = a.lang AND b.id <> a.id WHERE a.id < 6) WHERE place <= 2 ORDER BY p, place));
SELECT p.id, count(*) AS row_count, sum(d.created = p.created) AS same_year FROM plain AS p JOIN docs AS d ON d.v MATCH p.v AND d.k = p.id AND d.created = p.created WHERE p.id < 5 GROUP BY p.id;
--# aggregates and groups over a search
SELECT lower(d.lang) AS lang, count(*) AS row_count, min(distance) = (SELECT min(t.distance) FROM truth AS t WHERE t.lang IS d.lang) AS same FROM docs AS d WHERE v MATCH (SELECT q FROM one) GROUP BY d.lang ORDER BY d.lang;
SELECT rowid = (SELECT id FROM truth ORDER BY distance DESC LIMIT 1) AS same, max(distance) = (SELECT max(distance) FROM truth) AS same FROM docs((SELECT q FROM one));
--# MATCH as one side of an OR; what is no condition of a search is SQLite's error
SELECT count(*) AS row_count FROM docs WHERE v MATCH (SELECT q FROM one) OR rowid = 5;
SELECT count(*) AS row_count FROM docs WHERE NOT v MATCH (SELECT q FROM one);

--# vec_search and vec_search_batch take the table by its name, the column's metric is theirs
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'v', (SELECT q FROM one), 10);
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(id || ':' || distance) AS found, count(*) AS row_count FROM (SELECT id, distance FROM vec_search('docs', 'v', (SELECT q FROM one), 10))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, distance FROM nearest LIMIT 10));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(query_no || ':' || rank || ':' || id || ':' || distance) AS found, count(*) AS row_count
      FROM (SELECT * FROM vec_search_batch('docs', 'v', (SELECT vec_concat(q, (SELECT v FROM plain WHERE id = 11), (SELECT v FROM plain WHERE id = 222)) FROM one), 5))),
     (SELECT group_concat(query_no || ':' || rank || ':' || id || ':' || distance) AS expected
      FROM (SELECT * FROM (SELECT query_no, row_number() OVER (PARTITION BY query_no ORDER BY vec_distance_l2(v, q), id) AS rank, id, vec_distance_l2(v, q) AS distance
                           FROM plain, (SELECT 0 AS query_no, q FROM one UNION ALL SELECT 1, v FROM plain WHERE id = 11 UNION ALL SELECT 2, v FROM plain WHERE id = 222))
            WHERE rank <= 5 ORDER BY query_no, rank));

--# two vector columns of one table: each is searched by its own MATCH
CREATE VIRTUAL TABLE two USING vecshard(body float[64] distance_metric=cosine, face int8[4]);
INSERT INTO two(rowid, body, face) SELECT id, vec_slice(v, 0, 64), CASE WHEN id % 4 > 0 THEN vec_int8(json_array(id % 101, id % 89 - 44, id % 7, 1)) END FROM plain;
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM two WHERE body MATCH (SELECT vec_slice(q, 0, 64) FROM one) AND k = 10)),
     (SELECT group_concat(id || ':' || distance) AS expected
      FROM (SELECT id, vec_distance_cosine(vec_slice(v, 0, 64), vec_slice(q, 0, 64)) AS distance FROM plain, one ORDER BY 2, 1 LIMIT 10));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM two WHERE face MATCH vec_int8('[50, 0, 3, 1]') ORDER BY distance LIMIT 10)),
     (SELECT group_concat(id || ':' || distance) AS expected
      FROM (SELECT id, vec_distance_l2(vec_int8(json_array(id % 101, id % 89 - 44, id % 7, 1)), vec_int8('[50, 0, 3, 1]')) AS distance
            FROM plain WHERE id % 4 > 0 ORDER BY 2, 1 LIMIT 10));
--# a row without one of its vectors is never found by it
SELECT count(*) AS row_count FROM two WHERE face MATCH vec_int8('[50, 0, 3, 1]');
SELECT rowid FROM two WHERE face MATCH vec_int8('[50, 0, 3, 1]') AND body MATCH (SELECT vec_slice(q, 0, 64) FROM one);

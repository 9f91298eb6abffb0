-- Rows named by OR beside a search: the search is made once, and its rows are checked.
CREATE VIRTUAL TABLE x USING vecshard(v float[2], g INTEGER, name TEXT PRIMARY KEY, +title TEXT);
INSERT INTO x(v, g, name, title) VALUES ('[1,1]', 1, 'a', 'one'), ('[2,1]', 2, 'b', 'two'), ('[3,1]', 3, 'c', 'three'), ('[4,1]', 3, 'd', 'four');
CREATE VIRTUAL TABLE y USING vecshard(v float[2], g INTEGER);
INSERT INTO y(rowid, v, g) SELECT x.rowid, x.v, x.g FROM x;
CREATE TABLE pairs(id INTEGER PRIMARY KEY, a INTEGER, b INTEGER);
INSERT INTO pairs VALUES (1, 1, 2), (2, 2, 3);
-- header on

--# by rowid, in every form of a search
SELECT rowid FROM y WHERE v MATCH '[3,1]' AND (rowid = 1 OR rowid = 2);
SELECT rowid, distance FROM y WHERE v MATCH '[3,1]' AND (rowid = 1 OR rowid = 4) ORDER BY distance;
SELECT rowid, distance FROM y WHERE v MATCH '[3,1]' AND k = 4 AND (rowid = 1 OR rowid = 2);
SELECT rowid, distance FROM y('[3,1]', 4) WHERE rowid = 1 OR rowid = 2;
SELECT rowid FROM y('[3,1]') WHERE rowid IN (1, 2) OR rowid IN (4) ORDER BY distance LIMIT 2;
SELECT rowid FROM y WHERE v MATCH '[3,1]' AND ((rowid = 1 AND g = 1) OR (rowid = 2 AND g = 7) OR g = 3);

--# by key, and by key or rowid
SELECT name, title FROM x WHERE v MATCH '[3,1]' AND (name = 'a' OR name = 'c') ORDER BY distance;
SELECT name FROM x WHERE v MATCH '[3,1]' AND (name = 'a' OR rowid = 2) ORDER BY distance;

--# in joins
SELECT pairs.id, y.rowid, distance FROM pairs JOIN y ON y.rowid = pairs.a OR y.rowid = pairs.b WHERE y.v MATCH '[3,1]' ORDER BY distance, pairs.id;
SELECT pairs.id, y.rowid FROM pairs JOIN y ON y.rowid = pairs.a OR y.rowid = pairs.b WHERE y.v MATCH '[3,1]' AND k = 4 ORDER BY distance, pairs.id;
SELECT p.rowid, q.rowid AS other FROM y AS p JOIN y AS q ON q.rowid = p.rowid OR q.rowid = 3 WHERE p.v MATCH '[1,1]' AND q.v MATCH '[3,1]' ORDER BY p.distance, q.distance;

--# a lookup in another statement is one, whatever was planned before it
SELECT rowid, g FROM y WHERE rowid = 1 OR rowid = 3;
SELECT a.rowid, b.g FROM y AS a JOIN y AS b ON b.rowid = a.rowid WHERE a.v MATCH '[3,1]' AND a.k = 2;
EXPLAIN QUERY PLAN SELECT v FROM y WHERE rowid = 2;

--# writes
DELETE FROM y WHERE v MATCH '[3,1]' AND (rowid = 1 OR rowid = 2);
UPDATE y SET g = 9 WHERE v MATCH '[3,1]' AND (rowid = 3 OR rowid = 2);
SELECT rowid, g FROM y;

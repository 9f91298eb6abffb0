-- INSERT, UPDATE and DELETE on an indexed table with their conflicts: as on an ordinary table, and found by the next search.
-- header on
CREATE VIRTUAL TABLE t USING vecshard(name TEXT COLLATE NOCASE PRIMARY KEY, v float[2], owner TEXT PARTITION KEY, n INTEGER, +note TEXT);

--# rowids: given, or the next after the largest; changes() and last_insert_rowid() are the application's
INSERT INTO t(rowid, name, v, owner, n, note) VALUES (10, 'a', '[1,0]', 'x', 1, 'first'), (20, 'b', '[2,0]', 'x', 2, NULL);
SELECT changes() AS changes, last_insert_rowid() AS last;
INSERT INTO t(name, v, owner) VALUES ('c', vec_f32('[3,0]'), NULL), (NULL, x'0000804000000000', 'y'), (NULL, NULL, 'y');
SELECT changes() AS changes, last_insert_rowid() AS last;
SELECT rowid, name, vec_to_json(v) AS v, owner, n, note FROM t ORDER BY rowid;
SELECT rowid, distance FROM t('[0,0]');
--# a search leaves both numbers alone
SELECT changes() AS changes, last_insert_rowid() AS last;

--# conflicts: the rowid, and the key in its collation; NULL keys are no conflict
INSERT INTO t(rowid, name, v) VALUES (10, 'z', '[9,9]');
INSERT INTO t(name, v) VALUES ('A', '[9,9]');
INSERT INTO t(rowid, name, v) VALUES ('10', 'z', '[9,9]');
INSERT INTO t(rowid, name, v) VALUES (1.5, 'z', '[9,9]');
INSERT INTO t(rowid, name, v) VALUES ('ten', 'z', '[9,9]');
UPDATE t SET rowid = 20 WHERE rowid = 10;
UPDATE t SET name = 'B' WHERE rowid = 10;
UPDATE t SET rowid = NULL WHERE rowid = 10;
--# a statement that fails in its middle writes nothing
INSERT INTO t(rowid, name, v) VALUES (50, 'k', '[5,0]'), (51, 'l', '[6,0]'), (10, 'm', '[7,0]');
INSERT INTO t(rowid, name, v) VALUES (50, 'k', '[5,0]'), (51, 'l', '[6,0,0]');
UPDATE t SET n = 100, name = 'same' WHERE owner = 'x';
SELECT rowid, name, n FROM t ORDER BY rowid;

--# OR IGNORE passes over the row, and counts the others
INSERT OR IGNORE INTO t(rowid, name, v) VALUES (10, 'z', '[9,9]'), (60, 'f', '[6,0]'), (61, 'F', '[6,1]');
SELECT changes() AS changes, last_insert_rowid() AS last;
UPDATE OR IGNORE t SET rowid = 60 WHERE rowid IN (10, 20);
SELECT rowid, name FROM t ORDER BY rowid;
--# but a value that is no vector is an error all the same
INSERT OR IGNORE INTO t(rowid, name, v) VALUES (70, 'g', 'not a vector');

--# OR REPLACE by rowid, by key, and by both at once, which are two rows
INSERT OR REPLACE INTO t(rowid, name, v, owner) VALUES (10, 'a', '[1,1]', 'y');
INSERT OR REPLACE INTO t(name, v, owner, n) VALUES ('B', '[2,1]', 'x', 22);
SELECT changes() AS changes, last_insert_rowid() AS last;
REPLACE INTO t(rowid, name, v) VALUES (10, 'C', '[3,1]');
SELECT rowid, name, vec_to_json(v) AS v, owner, n, note FROM t ORDER BY rowid;
UPDATE OR REPLACE t SET name = 'c' WHERE rowid = 60;
UPDATE OR REPLACE t SET rowid = 22 WHERE rowid = 60;
SELECT rowid, name, vec_to_json(v) AS v FROM t ORDER BY rowid;
SELECT rowid, distance FROM t('[0,0]');
--# OR FAIL keeps what was written before the conflict, OR ROLLBACK ends the transaction
INSERT OR FAIL INTO t(rowid, v) VALUES (80, '[8,0]'), (22, '[8,1]'), (81, '[8,2]');
BEGIN;
INSERT INTO t(rowid, v) VALUES (90, '[9,0]');
INSERT OR ROLLBACK INTO t(rowid, v) VALUES (22, '[9,1]');
COMMIT;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t ORDER BY rowid);

--# UPDATE of each column alone, and of all at once
DELETE FROM t;
SELECT changes() AS changes, (SELECT count(*) FROM t) AS row_count, (SELECT count(*) FROM t('[0,0]')) AS found;
INSERT INTO t(rowid, name, v, owner, n, note) VALUES (1, 'a', '[1,0]', 'x', 1, 'one'), (2, 'b', '[2,0]', 'x', 2, 'two'), (3, 'c', '[3,0]', 'y', 3, 'three');
UPDATE t SET v = '[5,0]' WHERE rowid = 1;
UPDATE t SET owner = 'y' WHERE rowid = 2;
UPDATE t SET name = 'beta' WHERE rowid = 2;
UPDATE t SET n = n + 10;
SELECT changes() AS changes;
UPDATE t SET note = upper(note) WHERE name = 'BETA';
UPDATE t SET rowid = rowid + 100;
SELECT rowid, name, vec_to_json(v) AS v, owner, n, note FROM t ORDER BY rowid;
SELECT rowid, distance FROM t('[0,0]') WHERE owner = 'x';
SELECT rowid, distance FROM t('[0,0]') WHERE owner = 'y';
SELECT rowid FROM t WHERE name = 'b' OR name = 'BETA';
UPDATE t SET rowid = 7, name = 'seven', v = '[0,1]', owner = NULL, n = 77, note = 'all' WHERE rowid = 103;
SELECT rowid, name, owner, n, note, distance FROM t('[0,0]') WHERE owner IS NULL;
--# a vector taken away and given back; a value set to what it was
UPDATE t SET v = NULL WHERE rowid = 7;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
UPDATE t SET v = '[4,0]' WHERE v IS NULL;
UPDATE t SET v = v, n = n;
SELECT group_concat(rowid, ' ') AS ids FROM (SELECT rowid FROM t('[0,0]'));
--# all keys move at once where no two meet; UPDATE FROM
UPDATE t SET rowid = -rowid;
UPDATE t SET n = s.value FROM (SELECT -7 AS id, 700 AS value UNION ALL SELECT -101, 10100) AS s WHERE t.rowid = s.id;
SELECT rowid, n FROM t ORDER BY rowid;
--# the extreme rowids
INSERT INTO t(rowid, v) VALUES (-9223372036854775808, '[0,7]'), (0, '[0,8]'), (9223372036854775807, '[0,9]');
SELECT rowid, distance FROM t('[0,9]') WHERE distance <= 2;
INSERT INTO t(v) VALUES ('[1,1]');
--# rows that are not there; DELETE with conditions, by search, and of a row by another search of the table
UPDATE t SET n = 0 WHERE rowid = 12345;
SELECT changes() AS changes;
DELETE FROM t WHERE rowid = 12345;
SELECT changes() AS changes;
DELETE FROM t WHERE rowid IN (-9223372036854775808, 0, 9223372036854775807);
SELECT changes() AS changes;
DELETE FROM t WHERE v MATCH '[5,0]' AND k = 1;
SELECT rowid FROM t ORDER BY rowid;
INSERT INTO t(v, n) SELECT v, n + 1 FROM t;
SELECT count(*) AS row_count, count(DISTINCT rowid) AS ids FROM t;

--# what is refused: wrong sizes and types, NaN, infinity, hidden columns
INSERT INTO t(v) VALUES ('[1]');
INSERT INTO t(v) VALUES (x'00000000');
INSERT INTO t(v) VALUES (x'0000c07f00000000');
INSERT INTO t(v) VALUES (x'0000807f00000000');
INSERT INTO t(v) VALUES ('[1e39,0]');
INSERT INTO t(v) VALUES (1.5);
INSERT INTO t(v) VALUES (vec_bit(x'ff'));
INSERT INTO t(v, distance) VALUES ('[1,2]', 3);
INSERT INTO t(v, query) VALUES ('[1,2]', '[1,2]');
INSERT INTO t(v, arg) VALUES ('[1,2]', 3);
UPDATE t SET k = 5;
--# what SQLite does not allow for a virtual table
INSERT INTO t(rowid, v) VALUES (1, '[1,2]') ON CONFLICT DO NOTHING;
INSERT INTO t(rowid, v) VALUES (1, '[1,2]') ON CONFLICT(rowid) DO UPDATE SET v = excluded.v;
DELETE FROM t RETURNING rowid;
UPDATE t SET n = 1 RETURNING rowid;
CREATE TRIGGER after_t AFTER INSERT ON t BEGIN SELECT 1; END;
CREATE INDEX t_n ON t(n);
ALTER TABLE t ADD COLUMN more;
--# RETURNING of an INSERT gives the columns; the rowid is -1, as from every virtual table
INSERT INTO t(name, v) VALUES ('returned', '[1,1]') RETURNING rowid, name, vec_to_json(v) AS v;
SELECT rowid = last_insert_rowid() AS known, name FROM t WHERE name = 'returned';
--# a view with INSTEAD OF triggers writes it
CREATE TEMP VIEW open AS SELECT name, n FROM t;
CREATE TEMP TRIGGER open_insert INSTEAD OF INSERT ON open BEGIN INSERT INTO t(name, v, n) VALUES (new.name, json_array(new.n, 0), new.n); END;
INSERT INTO open VALUES ('through a view', 55);
SELECT name, n, distance FROM t('[55,0]', 1);
INSERT INTO t(t) VALUES ('integrity-check');

--# a REAL key holds the double nearest to a whole number: that is the key of every number that becomes it, as in an ordinary table
CREATE VIRTUAL TABLE measures USING vecshard(v float[2], kk REAL PRIMARY KEY);
INSERT INTO measures(v, kk) VALUES ('[1,2]', 9007199254740993);
BEGIN;
INSERT INTO measures(v, kk) VALUES ('[9,9]', '1');
INSERT INTO measures(v, kk) VALUES ('[3,4]', 9007199254740993);
INSERT INTO measures(v, kk) VALUES ('[3,4]', '9007199254740993');
INSERT INTO measures(v, kk) VALUES ('[3,4]', 1);
INSERT OR IGNORE INTO measures(v, kk) VALUES ('[5,6]', 9007199254740993);
INSERT OR REPLACE INTO measures(v, kk) VALUES ('[7,8]', 9007199254740993);
UPDATE measures SET kk = 9007199254740993 WHERE kk = 1;
COMMIT;
SELECT rowid, vec_to_json(v) AS v, typeof(kk) AS type, CAST(kk AS INTEGER) AS kk FROM measures;
DELETE FROM measures WHERE kk = 9007199254740992;
SELECT count(*) AS row_count FROM measures;
--# and one partition
CREATE VIRTUAL TABLE parts USING vecshard(v float[2], p REAL PARTITION KEY);
INSERT INTO parts(v, p) VALUES ('[1,2]', 9007199254740993), ('[3,4]', 9007199254740993), ('[5,6]', '9007199254740993'), ('[7,8]', 9007199254740992.0);
SELECT count(*) AS partitions FROM parts_parts;
INSERT INTO parts(parts) VALUES ('integrity-check');
INSERT INTO measures(measures) VALUES ('integrity-check');

--# many rows, coded cells: after a third was deleted, a third updated, and keys and partitions moved, searches are those of the ordinary table
.read test/sql/index_rows.inc
DELETE FROM docs WHERE rowid % 3 = 1;
DELETE FROM plain WHERE id % 3 = 1;
UPDATE docs SET v = vec_scale(v, 0.5), created = created + 1 WHERE rowid % 3 = 2;
UPDATE plain SET v = vec_scale(v, 0.5), created = created + 1 WHERE id % 3 = 2;
UPDATE docs SET user = 5 WHERE rowid % 10 = 2;
UPDATE plain SET user = 5 WHERE id % 10 = 2;
UPDATE docs SET rowid = rowid + 1000 WHERE lang = 'fr';
UPDATE plain SET id = id + 1000 WHERE lang = 'fr';
INSERT OR REPLACE INTO docs(rowid, v, user) SELECT id, vec_scale(v, 3), 2 FROM plain WHERE id % 11 = 0;
INSERT OR REPLACE INTO plain(id, v, user) SELECT id, vec_scale(v, 3), 2 FROM plain WHERE id % 11 = 0;
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs((SELECT q FROM one)))),
     (SELECT group_concat(id || ':' || distance) AS expected FROM (SELECT id, vec_distance_l2(v, q) AS distance FROM plain, one ORDER BY 2, 1));
SELECT found = expected AS same, row_count
FROM (SELECT group_concat(rowid || ':' || distance) AS found, count(*) AS row_count FROM (SELECT rowid, distance FROM docs((SELECT q FROM one), 20) WHERE user = 5 AND created > 2003)),
     (SELECT group_concat(id || ':' || distance) AS expected
      FROM (SELECT id, vec_distance_l2(v, q) AS distance FROM plain, one WHERE user = 5 AND created > 2003 ORDER BY 2, 1 LIMIT 20));
SELECT count(*) AS differences
FROM (SELECT rowid, vec_to_json(v), user, lang, created, price, title FROM docs EXCEPT SELECT id, vec_to_json(v), user, lang, created, price, title FROM plain);
INSERT INTO docs(docs) VALUES ('integrity-check');

--# statements that write what they search: the search is complete before the first write
INSERT INTO docs(v, lang) SELECT v, 'five' FROM docs((SELECT q FROM one), 5);
SELECT count(*) AS row_count FROM docs WHERE lang = 'five';
INSERT INTO docs(v, lang) SELECT v, 'all' FROM docs((SELECT q FROM one));
SELECT count(*) AS row_count FROM docs WHERE lang = 'all';
UPDATE docs SET v = vec_scale(v, 1.01), lang = 'nine' WHERE v MATCH (SELECT q FROM one) AND k = 9;
SELECT changes() AS changes, count(*) AS row_count FROM docs WHERE lang = 'nine';
UPDATE docs SET rowid = rowid + 10000 WHERE v MATCH (SELECT q FROM one);
SELECT changes() AS changes, min(rowid) > 10000 AS all_moved FROM docs;
DELETE FROM docs WHERE v MATCH (SELECT q FROM one) AND distance < 60;
SELECT (SELECT count(*) FROM docs((SELECT q FROM one)) WHERE distance < 60) AS near, (SELECT count(*) FROM docs((SELECT q FROM one))) = (SELECT count(*) FROM docs) AS complete;
INSERT INTO docs(docs) VALUES ('integrity-check');

-- A search reads tables of the main, temp and attached databases, WITHOUT ROWID tables, and names of any spelling; never a view.
-- header on
--# main, temp and attached
CREATE TABLE docs(id INTEGER PRIMARY KEY, embedding BLOB);
INSERT INTO docs VALUES (1, vec_f32('[1,1]')), (2, vec_f32('[2,2]'));
CREATE TEMP TABLE scratch(embedding BLOB);
INSERT INTO scratch(rowid, embedding) VALUES (10, vec_f32('[1,1]')), (20, vec_f32('[2,2]'));
ATTACH ':memory:' AS other;
CREATE TABLE other.docs(id INTEGER PRIMARY KEY, embedding BLOB);
INSERT INTO other.docs VALUES (100, vec_f32('[1,1]')), (200, vec_f32('[2,2]'));
CREATE TABLE other.far(id INTEGER PRIMARY KEY, embedding BLOB);
INSERT INTO other.far VALUES (1000, vec_f32('[1,1]'));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('main.docs', 'embedding', '[1,1]', 1);
SELECT id FROM vec_search('docs', 'embedding', '[1,1]', 1);
SELECT id FROM vec_search('main.docs', 'embedding', '[1,1]', 1);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('scratch', 'embedding', '[1,1]', 1);
SELECT id FROM vec_search('scratch', 'embedding', '[1,1]', 1);
SELECT id FROM vec_search('temp.scratch', 'embedding', '[1,1]', 1);
EXPLAIN QUERY PLAN SELECT id FROM vec_search('other.docs', 'embedding', '[1,1]', 1);
SELECT id FROM vec_search('other.docs', 'embedding', '[1,1]', 1);
--# a table that only the attached database has needs no prefix; a temp table hides a main one, as in SQLite
SELECT id FROM vec_search('far', 'embedding', '[1,1]', 1);
CREATE TEMP TABLE docs(embedding BLOB);
INSERT INTO temp.docs(rowid, embedding) VALUES (77, vec_f32('[1,1]'));
SELECT id FROM vec_search('docs', 'embedding', '[1,1]', 1);
SELECT rowid AS id FROM docs;
DROP TABLE temp.docs;
SELECT s.id, s.distance FROM vec_search('other.docs', 'embedding', '[1,1]') AS s JOIN other.docs AS d ON d.id = s.id WHERE d.id > 100 ORDER BY s.distance;
DETACH other;
SELECT id FROM vec_search('other.docs', 'embedding', '[1,1]', 1);

--# WITHOUT ROWID: the id is the single INTEGER key
CREATE TABLE keyed(number INTEGER PRIMARY KEY, embedding BLOB) WITHOUT ROWID;
INSERT INTO keyed VALUES (5, vec_f32('[1,1]')), (-3, vec_f32('[2,2]')), (9000000000, vec_f32('[3,3]'));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('keyed', 'embedding', '[2,2]', 2);
SELECT id, distance FROM vec_search('keyed', 'embedding', '[2,2]', 3);
SELECT number, vec_distance_l2(embedding, '[2,2]') AS d FROM keyed ORDER BY d, number;
SELECT id FROM vec_search('keyed', 'embedding', '[2,2]', 3) WHERE id IN (5, 9000000000);
CREATE TABLE pairs(a INTEGER, b INTEGER, embedding BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID;
SELECT id FROM vec_search('pairs', 'embedding', '[2,2]', 1);
CREATE TABLE texts(name TEXT PRIMARY KEY, embedding BLOB) WITHOUT ROWID;
SELECT id FROM vec_search('texts', 'embedding', '[2,2]', 1);
--# a TEXT key in an ordinary table: the id is its rowid
CREATE TABLE named(name TEXT PRIMARY KEY, embedding BLOB);
INSERT INTO named VALUES ('a', vec_f32('[1,1]')), ('b', vec_f32('[2,2]'));
SELECT n.name, s.id FROM vec_search('named', 'embedding', '[2,2]', 2) AS s JOIN named AS n ON n.rowid = s.id ORDER BY s.rank;
--# columns that are called rowid
CREATE TABLE odd(rowid TEXT, _rowid_ TEXT, embedding BLOB);
INSERT INTO odd VALUES ('x', 'y', vec_f32('[1,1]'));
SELECT s.id FROM vec_search('odd', 'embedding', '[2,2]', 2) AS s;
CREATE TABLE odder(rowid TEXT, _rowid_ TEXT, oid TEXT, id INTEGER PRIMARY KEY, embedding BLOB);
INSERT INTO odder VALUES ('x', 'y', 'z', 31, vec_f32('[1,1]'));
SELECT s.id FROM vec_search('odder', 'embedding', '[2,2]', 2) AS s;
CREATE TABLE oddest(rowid TEXT, _rowid_ TEXT, oid TEXT, embedding BLOB);
SELECT s.id FROM vec_search('oddest', 'embedding', '[2,2]', 2) AS s;

--# names are looked up, not pasted: quotes, blanks, dots and capitals are harmless
CREATE TABLE "my ""docs"" '; --"(id INTEGER PRIMARY KEY, "the 'vector'" BLOB);
INSERT INTO "my ""docs"" '; --" VALUES (4, vec_f32('[1,1]'));
SELECT id FROM vec_search('my "docs" ''; --', 'the ''vector''', '[1,1]', 1);
CREATE TABLE "a.b"(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO "a.b" VALUES (6, vec_f32('[1,1]'));
SELECT id FROM vec_search('a.b', 'v', '[1,1]', 1);
SELECT id FROM vec_search('MAIN.Docs', 'EMBEDDING', '[1,1]', 1);
SELECT id FROM vec_search('docs; DROP TABLE docs', 'embedding', '[1,1]', 1);
SELECT id FROM vec_search('docs', 'embedding FROM docs; --', '[1,1]', 1);
SELECT count(*) AS row_count FROM docs;

--# generated columns can be searched
CREATE TABLE made(id INTEGER PRIMARY KEY, raw TEXT, v BLOB GENERATED ALWAYS AS (vec_f32(raw)) STORED);
INSERT INTO made(id, raw) VALUES (1, '[1,1]'), (2, '[2,2]');
SELECT id, distance FROM vec_search('made', 'v', '[2,2]', 1);

--# views and virtual tables have no rowids of their own: name the base table
CREATE VIEW french AS SELECT * FROM docs;
SELECT id FROM vec_search('french', 'embedding', '[1,1]', 1);
CREATE VIRTUAL TABLE words USING fts5(body);
SELECT id FROM vec_search('words', 'body', '[1,1]', 1);

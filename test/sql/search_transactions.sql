-- A search sees the uncommitted changes of its own connection, not those of others, and ROLLBACK takes them back.
CREATE TABLE docs(id INTEGER PRIMARY KEY, embedding BLOB);
INSERT INTO docs VALUES (1, vec_f32('[1,1]')), (2, vec_f32('[5,5]'));
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[0,0]', 5);
BEGIN;
INSERT INTO docs VALUES (3, vec_f32('[0,0]'));
UPDATE docs SET embedding = vec_f32('[9,9]') WHERE id = 1;
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[0,0]', 5);
SAVEPOINT a;
DELETE FROM docs WHERE id = 3;
UPDATE docs SET id = 20 WHERE id = 2;
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[0,0]', 5);
ROLLBACK TO a;
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[0,0]', 5);
ROLLBACK;
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[0,0]', 5);
--# INSERT OR REPLACE and INSERT OR IGNORE
INSERT OR REPLACE INTO docs VALUES (1, vec_f32('[8,8]'));
INSERT OR IGNORE INTO docs VALUES (2, vec_f32('[0,0]'));
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[0,0]', 5);
--# a renamed table and column
ALTER TABLE docs RENAME TO papers;
ALTER TABLE papers RENAME COLUMN embedding TO meaning;
SELECT group_concat(id) FROM vec_search('papers', 'meaning', '[0,0]', 5);
SELECT id FROM vec_search('docs', 'embedding', '[0,0]', 5);
--# a search leaves changes() and last_insert_rowid() alone
INSERT INTO papers VALUES (50, vec_f32('[2,2]'));
SELECT changes(), last_insert_rowid(), (SELECT count(*) FROM vec_search('papers', 'meaning', '[0,0]')), changes(), last_insert_rowid();
--# an error ends the statement alone: the transaction goes on, and nothing was written
BEGIN;
INSERT INTO papers VALUES (51, vec_f32('[3,3]'));
CREATE TABLE copy AS SELECT id FROM vec_search('papers', 'meaning', '[0,0,0]', 5);
SELECT count(*) FROM sqlite_schema WHERE name = 'copy';
SELECT group_concat(id) FROM vec_search('papers', 'meaning', '[0,0]', 5);
COMMIT;

--# two connections: what the other has not committed is not seen
-- connection one
PRAGMA journal_mode = WAL;
CREATE TABLE docs(id INTEGER PRIMARY KEY, embedding BLOB);
INSERT INTO docs VALUES (1, vec_f32('[1,1]'));
-- connection two
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[0,0]', 5);
-- connection one
BEGIN;
INSERT INTO docs VALUES (2, vec_f32('[0,0]'));
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[0,0]', 5);
-- connection two
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[0,0]', 5);
-- connection one
COMMIT;
-- connection two
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[0,0]', 5);
--# a reader keeps its snapshot while the other commits
BEGIN;
SELECT count(*) FROM docs;
-- connection one
DELETE FROM docs;
-- connection two
SELECT group_concat(id) FROM vec_search('docs', 'embedding', '[0,0]', 5);
COMMIT;
SELECT count(*) FROM vec_search('docs', 'embedding', '[0,0]', 5);

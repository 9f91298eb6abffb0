-- On a connection set up as careful hosts do (DEFENSIVE, untrusted schema, no double-quoted strings), everything that is safe works in the schema.
-- defensive on
CREATE TABLE docs(id INTEGER PRIMARY KEY, raw TEXT, embedding BLOB, norm REAL GENERATED ALWAYS AS (vec_norm(embedding)) VIRTUAL,
                  CHECK (vec_length(embedding) = 2));
CREATE TRIGGER docs_vector AFTER INSERT ON docs WHEN new.embedding IS NULL BEGIN UPDATE docs SET embedding = vec_f32(new.raw) WHERE id = new.id; END;
INSERT INTO docs(id, raw) VALUES (1, '[1,0]'), (2, '[0,3]'), (3, '[2,2]');
INSERT INTO docs(id, embedding) VALUES (4, vec_f32('[1,2,3]'));
CREATE INDEX docs_norm ON docs(norm);
CREATE INDEX docs_expression ON docs(vec_norm(embedding));
CREATE INDEX docs_long ON docs(id) WHERE vec_norm(embedding) > 2;
CREATE VIEW sizes AS SELECT id, vec_norm(embedding) AS size, vec_distance_l2(embedding, '[1,0]') AS distance FROM docs;
SELECT id, round(size, 3), round(distance, 3) FROM sizes ORDER BY distance;
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 5, '{"index":"docs_norm"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 5, '{"index":"docs_norm"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 5, '{"index":"docs_expression"}');
EXPLAIN QUERY PLAN SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 5, '{"index":"docs_long"}');
SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 5, '{"index":"docs_long"}');
SELECT query_no, id FROM vec_search_batch('docs', 'embedding', '[[1,0],[0,1]]', 1);
--# vec_each and vec_kernels read nothing but their arguments, so views may use them
CREATE VIEW elements AS SELECT docs.id, e.rowid AS place, e.value FROM docs JOIN vec_each(docs.embedding) AS e;
SELECT * FROM elements WHERE id < 3;
CREATE VIEW levels AS SELECT count(*) > 0 FROM vec_kernels;
SELECT * FROM levels;
--# a search reads a table that its argument names: a view may use it only where the schema is trusted
CREATE VIEW nearest AS SELECT id FROM vec_search('docs', 'embedding', '[1,0]', 1);
SELECT * FROM nearest;
--# settings are for statements, never for a schema
CREATE VIEW sneaky AS SELECT vec_config('norm_index', 'off');
SELECT * FROM sneaky;
SELECT vec_config('norm_index');
-- defensive off
SELECT * FROM nearest;
SELECT * FROM sneaky;

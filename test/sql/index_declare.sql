-- CREATE VIRTUAL TABLE ... USING vecshard(...): what may be declared, how it is spelled, and an error for everything else.
-- header on
--# every spelling of an element type, and the metric of each when none is given, as the table keeps them
CREATE VIRTUAL TABLE f USING vecshard(a float[8], b float32[8], c f32[8], d float16[8], e f16[8], f1 bfloat16[8], g bf16[8], h int8[8]);
SELECT CAST(value AS TEXT) AS declaration FROM f_info WHERE key = 'declaration';
CREATE VIRTUAL TABLE b USING vecshard(a i8[8], b1 bit[8], c binary[16] distance_metric=jaccard, d BIT[24]);
SELECT CAST(value AS TEXT) AS declaration FROM b_info WHERE key = 'declaration';
--# metrics and store, in any case and order; metric= is the same word; blanks and comments do not matter
CREATE VIRTUAL TABLE m USING vecshard(a float[ 8 ] distance_metric=L2SQ store=f16, b FLOAT[8] store = float32 metric = Cosine,
  c float[8] /* a dot */ metric=dot, d float[8] distance_metric='l1');
SELECT CAST(value AS TEXT) AS declaration FROM m_info WHERE key = 'declaration';
--# all kinds of columns: metadata of any type, a partition key, a collation, what is only shown, a TEXT key
CREATE VIRTUAL TABLE kinds USING vecshard(
  url TEXT COLLATE NOCASE PRIMARY KEY, "the vector" float[4], tenant INTEGER PARTITION KEY, [lang] TEXT PARTITION KEY,
  `size` DECIMAL(10, 2), free, "say ""hi""" VARYING CHARACTER(80), +body TEXT, +picture BLOB, chunk_size=1024);
SELECT CAST(value AS TEXT) AS declaration FROM kinds_info WHERE key = 'declaration';
SELECT name, type, hidden FROM pragma_table_xinfo('kinds');
INSERT INTO kinds(url, "the vector", tenant, lang, size, free, "say ""hi""", body, picture) VALUES ('/A', '[1,2,3,4]', 1, 'en', '3.50', '3.50', 5, 6, 7);
SELECT url, tenant, lang, size, typeof(size), free, typeof(free), typeof("say ""hi"""), typeof(body), typeof(picture) FROM kinds WHERE "the vector" MATCH '[1,2,3,4]';
SELECT rowid FROM kinds WHERE url = '/a';
--# SELECT * and INSERT without a list of columns know the declared ones alone
SELECT count(*) AS declared FROM pragma_table_info('kinds');
CREATE VIRTUAL TABLE small USING vecshard(v float[2], tag TEXT);
INSERT INTO small VALUES ('[1,2]', 'one');
SELECT vec_to_json(v) AS v, tag FROM (SELECT * FROM small);
--# a name for the rowid
CREATE VIRTUAL TABLE ids USING vecshard(id INTEGER PRIMARY KEY, v float[2]);
INSERT INTO ids(id, v) VALUES (12, '[1,2]'), (NULL, '[3,4]');
SELECT id, rowid FROM ids;
--# vec0 declarations
CREATE VIRTUAL TABLE v0 USING vecshard(document_id integer primary key, contents_embedding float[768] distance_metric=cosine, user_id integer partition key,
  genre text, num_reviews int, mean_rating float, contains_violence boolean, +contents text, chunk_size=8);
SELECT CAST(value AS TEXT) AS declaration FROM v0_info WHERE key = 'declaration';
CREATE VIRTUAL TABLE v1 USING vecshard(item_id TEXT PRIMARY KEY, photo bit[768], sound int8[16] distance_metric=l1);
SELECT CAST(value AS TEXT) AS declaration FROM v1_info WHERE key = 'declaration';
--# SQLite hands over no empty arguments
CREATE VIRTUAL TABLE gap USING vecshard(v float[8], , tag TEXT, );
SELECT CAST(value AS TEXT) AS declaration FROM gap_info WHERE key = 'declaration';
DROP TABLE gap;
--# IF NOT EXISTS; another schema
CREATE VIRTUAL TABLE IF NOT EXISTS small USING vecshard(w float[3]);
CREATE VIRTUAL TABLE small USING vecshard(w float[3]);
CREATE VIRTUAL TABLE temp.small USING vecshard(w float[3]);
INSERT INTO temp.small(w) VALUES ('[1,2,3]');
SELECT (SELECT count(*) FROM temp.small) AS in_temp, (SELECT count(*) FROM main.small) AS in_main;
DROP TABLE temp.small;
--# the limits: 65,536 dimensions, 8 vectors, 48 columns
CREATE VIRTUAL TABLE large USING vecshard(v float[65536]);
DROP TABLE large;
CREATE VIRTUAL TABLE too_large USING vecshard(v float[65537]);
CREATE VIRTUAL TABLE nine USING vecshard(a bit[8], b bit[8], c bit[8], d bit[8], e bit[8], f bit[8], g bit[8], h bit[8], i bit[8]);
CREATE VIRTUAL TABLE columns48 USING vecshard(v bit[8], c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19, c20, c21, c22, c23, c24,
  c25, c26, c27, c28, c29, c30, c31, c32, c33, c34, c35, c36, c37, c38, c39, c40, c41, c42, c43, c44, c45, c46, c47, c48);
CREATE VIRTUAL TABLE columns49 USING vecshard(v bit[8], c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19, c20, c21, c22, c23, c24,
  c25, c26, c27, c28, c29, c30, c31, c32, c33, c34, c35, c36, c37, c38, c39, c40, c41, c42, c43, c44, c45, c46, c47, c48, c49);

--# errors: no vector, wrong types, sizes and options
CREATE VIRTUAL TABLE x USING vecshard;
CREATE VIRTUAL TABLE x USING vecshard();
CREATE VIRTUAL TABLE x USING vecshard(title TEXT);
CREATE VIRTUAL TABLE x USING vecshard(v float);
CREATE VIRTUAL TABLE x USING vecshard(v double[8]);
CREATE VIRTUAL TABLE x USING vecshard(v float[0]);
CREATE VIRTUAL TABLE x USING vecshard(v float[-8]);
CREATE VIRTUAL TABLE x USING vecshard(v float[8.5]);
CREATE VIRTUAL TABLE x USING vecshard(v float[]);
CREATE VIRTUAL TABLE x USING vecshard(v float[99999999999999999999]);
CREATE VIRTUAL TABLE x USING vecshard(v bit[12]);
CREATE VIRTUAL TABLE x USING vecshard(v float[8] distance_metric=hamming);
CREATE VIRTUAL TABLE x USING vecshard(v bit[8] distance_metric=l2);
CREATE VIRTUAL TABLE x USING vecshard(v float[8] distance_metric=near);
CREATE VIRTUAL TABLE x USING vecshard(v float[8] distance_metric=l2 metric=l2);
CREATE VIRTUAL TABLE x USING vecshard(v int8[8] store=f16);
CREATE VIRTUAL TABLE x USING vecshard(v float[8] store=int8);
CREATE VIRTUAL TABLE x USING vecshard(v float[8] NOT NULL);
CREATE VIRTUAL TABLE x USING vecshard(v float[8] PARTITION KEY);
CREATE VIRTUAL TABLE x USING vecshard(+v float[8]);
--# errors: columns
CREATE VIRTUAL TABLE x USING vecshard(v float[8], tag TEXT NOT NULL);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], tag TEXT DEFAULT 'a');
CREATE VIRTUAL TABLE x USING vecshard(v float[8], tag TEXT UNIQUE);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], tag TEXT CHECK (tag <> ''));
CREATE VIRTUAL TABLE x USING vecshard(v float[8], tag TEXT COLLATE);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], tag TEXT COLLATE backwards);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], tag TEXT PARTITION);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], tag TEXT PRIMARY);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], +tag TEXT PARTITION KEY);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], a TEXT PRIMARY KEY, b TEXT PRIMARY KEY);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], tag TEXT, TAG TEXT);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], distance REAL);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], rowid INTEGER);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], x TEXT);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], tag DECIMAL(1, 2, 3));
CREATE VIRTUAL TABLE x USING vecshard(v float[8], tag DECIMAL(a));
CREATE VIRTUAL TABLE x USING vecshard(v float[8], 8 TEXT);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], tag TEXT, ?);
CREATE VIRTUAL TABLE query USING vecshard(v float[8]);
--# errors: options
CREATE VIRTUAL TABLE x USING vecshard(v float[8], colour=red);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], chunk_size=0);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], chunk_size=8, chunk_size=8);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], content=);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], content=main.docs);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], content=docs extra);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], content_rowid=id);
CREATE VIRTUAL TABLE x USING vecshard(v float[8], content=missing);
--# a failed declaration leaves nothing, and names that look like SQL are names
SELECT count(*) AS left_over FROM sqlite_schema WHERE name LIKE 'x%';
CREATE VIRTUAL TABLE "x'y""; DROP TABLE small; --" USING vecshard("v'; DROP TABLE small; --" float[2]);
INSERT INTO "x'y""; DROP TABLE small; --"("v'; DROP TABLE small; --") VALUES ('[1,2]'), ('[2,3]');
SELECT rowid, distance FROM "x'y""; DROP TABLE small; --" WHERE "v'; DROP TABLE small; --" MATCH '[1,2]' AND k = 1;
INSERT INTO "x'y""; DROP TABLE small; --"("x'y""; DROP TABLE small; --") VALUES ('integrity-check');
SELECT count(*) AS still_there FROM small;
--# DROP takes every table of it along
DROP TABLE "x'y""; DROP TABLE small; --";
DROP TABLE f;
DROP TABLE b;
DROP TABLE m;
DROP TABLE kinds;
DROP TABLE small;
DROP TABLE ids;
DROP TABLE v0;
DROP TABLE v1;
DROP TABLE columns48;
SELECT count(*) AS left_over FROM sqlite_schema;

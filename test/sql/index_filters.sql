-- Conditions on the columns of an indexed table mean what they mean on an ordinary one, and no answer is short because of them.
--
-- Each statement takes the eight nearest rows that meet a condition in two ways, and compares both with an ordinary table: with k,
-- for conditions that go into the search, and as a stream with LIMIT, for any. It prints whether they are the same, and how many there are.
.read test/sql/index_rows.inc

--# NULL: IS NULL, IS NOT NULL, IS, IS NOT, and = NULL, which is never true
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang IS NULL)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang IS NULL ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang IS NULL LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang IS NOT NULL)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang IS NOT NULL ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang IS NOT NULL LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang IS 'fr')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang IS 'fr' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang IS 'fr' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang IS NOT 'fr')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang IS NOT 'fr' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang IS NOT 'fr' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE price IS NULL)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE price IS NULL ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE price IS NULL LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE price IS NOT 1.5)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE price IS NOT 1.5 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE price IS NOT 1.5 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE price IS NULL AND lang IS NULL)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE price IS NULL AND lang IS NULL ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE price IS NULL AND lang IS NULL LIMIT 8));
--# comparisons and ranges
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created = 2010)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created = 2010 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created = 2010 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created <> 2010)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created <> 2010 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created <> 2010 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created < 2003)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created < 2003 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created < 2003 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created <= 2003)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created <= 2003 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created <= 2003 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created > 2020)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created > 2020 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created > 2020 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created >= 2020)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created >= 2020 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created >= 2020 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created BETWEEN 2003 AND 2005)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created BETWEEN 2003 AND 2005 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created BETWEEN 2003 AND 2005 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE price > 8 AND price <= 9.25 AND created < 2012)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE price > 8 AND price <= 9.25 AND created < 2012 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE price > 8 AND price <= 9.25 AND created < 2012 LIMIT 8));
--# LIKE and GLOB, with wildcards in front and behind, ESCAPE
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE title LIKE 'TITLE 10%')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title LIKE 'TITLE 10%' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title LIKE 'TITLE 10%' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE title LIKE '%7')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title LIKE '%7' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title LIKE '%7' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE title LIKE 'title _')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title LIKE 'title _' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title LIKE 'title _' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE title LIKE 'title\_1' ESCAPE '\')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title LIKE 'title\_1' ESCAPE '\' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title LIKE 'title\_1' ESCAPE '\' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE title GLOB 'title 10*')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title GLOB 'title 10*' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title GLOB 'title 10*' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE title GLOB 'TITLE 10*')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title GLOB 'TITLE 10*' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title GLOB 'TITLE 10*' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE title GLOB '*[13]')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title GLOB '*[13]' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title GLOB '*[13]' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang LIKE 'f%')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang LIKE 'f%' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang LIKE 'f%' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang GLOB 'f*')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang GLOB 'f*' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang GLOB 'f*' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created LIKE '%5')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created LIKE '%5' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created LIKE '%5' LIMIT 8));
--# IN: a list of values, of texts, one with NULL, an empty one, a subquery
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created IN (2001, 2005, 2011))),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created IN (2001, 2005, 2011) ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created IN (2001, 2005, 2011) LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created IN (2001, NULL))),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created IN (2001, NULL) ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created IN (2001, NULL) LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created IN (SELECT created FROM plain WHERE id IN (31, 32)))),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created IN (SELECT created FROM plain WHERE id IN (31, 32)) ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created IN (SELECT created FROM plain WHERE id IN (31, 32)) LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created IN (SELECT created FROM plain WHERE id < 0))),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created IN (SELECT created FROM plain WHERE id < 0) ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created IN (SELECT created FROM plain WHERE id < 0) LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang IN ('fr'))),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang IN ('fr') ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang IN ('fr') LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created IN (2001, 2002) AND lang IN ('fr', 'en') AND user IN (0, 1))),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created IN (2001, 2002) AND lang IN ('fr', 'en') AND user IN (0, 1) ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created IN (2001, 2002) AND lang IN ('fr', 'en') AND user IN (0, 1) LIMIT 8));
--# OR: within a column, between columns, with the distance
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created = 2001 OR created = 2007 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created = 2001 OR created = 2007 LIMIT 8));
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang = 'fr' OR created = 2003 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang = 'fr' OR created = 2003 LIMIT 8));
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title = 'title 500' OR title = 'title 501' OR price > 9.5 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title = 'title 500' OR title = 'title 501' OR price > 9.5 LIMIT 8));
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE user = 1 AND (lang IS NULL OR created < 2002) ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE user = 1 AND (lang IS NULL OR created < 2002) LIMIT 8));
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE distance > 300 OR lang = 'en' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE distance > 300 OR lang = 'en' LIMIT 8));
--# collations: the column's NOCASE, another one in the statement
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang = 'FR')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang = 'FR' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang = 'FR' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang = 'fr' COLLATE BINARY)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang = 'fr' COLLATE BINARY ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang = 'fr' COLLATE BINARY LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang >= 'EN' AND lang < 'FS')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang >= 'EN' AND lang < 'FS' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang >= 'EN' AND lang < 'FS' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang COLLATE BINARY IN ('fr', 'EN'))),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang COLLATE BINARY IN ('fr', 'EN') ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang COLLATE BINARY IN ('fr', 'EN') LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE title = 'TITLE 77' COLLATE NOCASE)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title = 'TITLE 77' COLLATE NOCASE ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title = 'TITLE 77' COLLATE NOCASE LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang = 'fr  ' COLLATE RTRIM)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang = 'fr  ' COLLATE RTRIM ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang = 'fr  ' COLLATE RTRIM LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang <> 'FR')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang <> 'FR' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang <> 'FR' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang <> 'fr' COLLATE BINARY)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang <> 'fr' COLLATE BINARY ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang <> 'fr' COLLATE BINARY LIMIT 8));
--# affinities: the column's is applied to the other side
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created = '2001')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created = '2001' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created = '2001' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created = 2001.0)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created = 2001.0 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created = 2001.0 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created > '2020')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created > '2020' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created > '2020' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created < 'x')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created < 'x' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created < 'x' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE price = '1.50')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE price = '1.50' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE price = '1.50' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE title = 77)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title = 77 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title = 77 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE lang = 5)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang = 5 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang = 5 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created = x'32303031')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created = x'32303031' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created = x'32303031' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE created IN ('2001', '2002'))),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created IN ('2001', '2002') ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created IN ('2001', '2002') LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE user = '1')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE user = '1' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE user = '1' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE user = 1.0)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE user = 1.0 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE user = 1.0 LIMIT 8));
--# partition keys: =, IN, ranges, NULL
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE user = 1)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE user = 1 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE user = 1 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE user IN (0, 2))),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE user IN (0, 2) ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE user IN (0, 2) LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE user IN (2, 2, NULL, 9))),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE user IN (2, 2, NULL, 9) ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE user IN (2, 2, NULL, 9) LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE user > 0)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE user > 0 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE user > 0 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE user <> 1)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE user <> 1 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE user <> 1 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE user IS NULL)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE user IS NULL ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE user IS NULL LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE user = 9)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE user = 9 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE user = 9 LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE user = 1 AND lang = 'fr' AND created < 2010)),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE user = 1 AND lang = 'fr' AND created < 2010 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE user = 1 AND lang = 'fr' AND created < 2010 LIMIT 8));
--# auxiliary columns are filtered by like metadata
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE title = 'title 77')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title = 'title 77' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title = 'title 77' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE title > 'title 9')),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title > 'title 9' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title > 'title 9' LIMIT 8));
SELECT by_k IS expected, by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k FROM (SELECT rowid FROM docs((SELECT q FROM one), 8) WHERE title IN ('title 1', 'title 2', 'title 3'))),
     (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title IN ('title 1', 'title 2', 'title 3') ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title IN ('title 1', 'title 2', 'title 3') LIMIT 8));
--# expressions, which SQLite checks on a stream
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created % 10 = 3 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created % 10 = 3 LIMIT 8));
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE length(title) = 7 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE length(title) = 7 LIMIT 8));
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang || user = 'en1' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang || user = 'en1' LIMIT 8));
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE CASE WHEN user = 0 THEN created = 2000 ELSE price > 9 END ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE CASE WHEN user = 0 THEN created = 2000 ELSE price > 9 END LIMIT 8));
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE price + 1 IS NULL ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE price + 1 IS NULL LIMIT 8));
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE NOT created < 2020 ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE NOT created < 2020 LIMIT 8));
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE created NOT IN (2001, 2005, 2011) ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE created NOT IN (2001, 2005, 2011) LIMIT 8));
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE title NOT LIKE '%7' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE title NOT LIKE '%7' LIMIT 8));
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE lang COLLATE BINARY <> 'fr' ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE lang COLLATE BINARY <> 'fr' LIMIT 8));

--# (a, b) IN (...): k rows in all, not k for each pair
SELECT count(*) <= 8 FROM docs((SELECT q FROM one), 8) WHERE (user, created) IN ((1, 2001), (2, 2002), (0, 2003), (1, 2004));
SELECT count(*) <= 8 FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 8 AND (user, created) IN (SELECT user, created FROM plain WHERE id < 20);
SELECT by_limit IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_limit, count(*) AS row_count
      FROM (SELECT rowid FROM docs((SELECT q FROM one)) WHERE (user, created) IN (SELECT user, created FROM plain WHERE id < 20) ORDER BY distance, rowid LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE (user, created) IN (SELECT user, created FROM plain WHERE id < 20) LIMIT 8));
--# sixteen and more conditions
SELECT by_k IS expected, row_count
FROM (SELECT group_concat(rowid) AS by_k, count(*) AS row_count
      FROM (SELECT rowid FROM docs((SELECT q FROM one), 8)
            WHERE created <> 2000 AND created <> 2001 AND created <> 2002 AND created <> 2003 AND created <> 2004 AND created <> 2005 AND created <> 2006 AND created <> 2007
              AND user >= 0 AND user < 2 AND price > 0 AND price < 100 AND price <> 1.25 AND title > 'a' AND title < 'u' AND lang = 'en' AND rowid > 5 AND rowid < 550)),
     (SELECT group_concat(id) AS expected
      FROM (SELECT id FROM nearest WHERE created > 2007 AND user < 2 AND price > 0 AND price <> 1.25 AND lang = 'en' AND id > 5 AND id < 550 LIMIT 8));

--# joins without k: the other table's conditions are met by the stream, LIMIT counts what is left
CREATE TABLE rating(doc INTEGER PRIMARY KEY, stars INTEGER, who TEXT);
INSERT INTO rating SELECT id, id * 7 % 5, 'u' || (id % 10) FROM plain WHERE id % 3 > 0;
CREATE TABLE follows(who TEXT PRIMARY KEY, whom TEXT);
INSERT INTO follows VALUES ('ann', 'u3'), ('bob', 'u4'), ('eve', 'nobody');
SELECT found IS expected, row_count
FROM (SELECT group_concat(rowid) AS found, count(*) AS row_count
      FROM (SELECT d.rowid FROM docs AS d JOIN rating AS r ON r.doc = d.rowid WHERE d.v MATCH (SELECT q FROM one) AND r.stars = 4 ORDER BY d.distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest JOIN rating ON doc = id WHERE stars = 4 ORDER BY distance, id LIMIT 8));
SELECT found IS expected, row_count
FROM (SELECT group_concat(rowid) AS found, count(*) AS row_count
      FROM (SELECT d.rowid FROM follows AS f JOIN rating AS r ON r.who = f.whom JOIN docs AS d ON d.rowid = r.doc
            WHERE f.who = 'ann' AND d.v MATCH (SELECT q FROM one) ORDER BY d.distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest JOIN rating ON doc = id WHERE who = 'u3' ORDER BY distance, id LIMIT 8));
SELECT found IS expected, row_count
FROM (SELECT group_concat(rowid) AS found, count(*) AS row_count
      FROM (SELECT d.rowid FROM docs AS d LEFT JOIN rating AS r ON r.doc = d.rowid WHERE d.v MATCH (SELECT q FROM one) AND r.doc IS NULL ORDER BY d.distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest WHERE id % 3 = 0 LIMIT 8));
SELECT found IS expected, row_count
FROM (SELECT group_concat(rowid) AS found, count(*) AS row_count
      FROM (SELECT rowid FROM docs AS d WHERE v MATCH (SELECT q FROM one) AND EXISTS (SELECT 1 FROM rating WHERE doc = d.rowid AND stars = 4) ORDER BY distance LIMIT 8)),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest JOIN rating ON doc = id WHERE stars = 4 ORDER BY distance, id LIMIT 8));
--# with k, rowid IN (SELECT ...) gives the other table's conditions to the search
SELECT found IS expected, row_count
FROM (SELECT group_concat(rowid) AS found, count(*) AS row_count
      FROM (SELECT rowid FROM docs WHERE v MATCH (SELECT q FROM one) AND k = 8 AND rowid IN (SELECT doc FROM rating WHERE stars = 4))),
     (SELECT group_concat(id) AS expected FROM (SELECT id FROM nearest JOIN rating ON doc = id WHERE stars = 4 ORDER BY distance, id LIMIT 8));

--# without a query it is an ordinary table: the same conditions, the same rows
SELECT count(*), sum(rowid) = (SELECT sum(id) FROM truth WHERE lang = 'fr' AND created < 2010) FROM docs WHERE lang = 'fr' AND created < 2010;
SELECT count(*), sum(rowid) = (SELECT sum(id) FROM truth WHERE title LIKE 'title 1%' OR user = 2) FROM docs WHERE title LIKE 'title 1%' OR user = 2;
SELECT count(*) FROM (SELECT rowid, vec_to_json(v), user, lang, created, price, title FROM docs EXCEPT SELECT id, vec_to_json(v), user, lang, created, price, title FROM plain);
SELECT group_concat(rowid) FROM (SELECT rowid FROM docs WHERE rowid BETWEEN 98 AND 103 ORDER BY rowid DESC);

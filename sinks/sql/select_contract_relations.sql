-- What schema news has: views, and the rows that functions give, with their comments.
SELECT
    c.relname AS name,
    CASE c.relkind WHEN 'c' THEN 'row' ELSE 'view' END AS kind,
    CASE c.relkind WHEN 'c' THEN obj_description(c.reltype, 'pg_type') ELSE obj_description(c.oid, 'pg_class') END AS comment
FROM pg_class AS c
WHERE c.relnamespace = 'news'::regnamespace AND c.relkind IN ('v', 'm', 'r', 'p', 'f', 'c')
ORDER BY c.relname;

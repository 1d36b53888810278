-- The columns of the views of schema news, and of the rows that its functions give, with their types and comments.
SELECT
    c.relname AS relation,
    a.attname AS name,
    format_type(a.atttypid, a.atttypmod) AS type,
    col_description(c.oid, a.attnum) AS comment
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE
    c.relnamespace = 'news'::regnamespace
    AND c.relkind IN ('v', 'm', 'r', 'p', 'f', 'c')
    AND a.attnum > 0
    AND NOT a.attisdropped
ORDER BY c.relname, a.attnum;

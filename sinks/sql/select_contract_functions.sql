-- The functions of schema news: arguments, what they give, and comments. `types`: all that stand in arguments and results.
SELECT
    p.proname AS name,
    pg_get_function_arguments(p.oid) AS arguments,
    pg_get_function_result(p.oid) AS result,
    obj_description(p.oid, 'pg_proc') AS comment,
    ARRAY(
        SELECT DISTINCT format_type(t.oid, NULL)
        FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]) || p.prorettype) AS used (oid)
        JOIN pg_type AS t ON t.oid = used.oid
        WHERE t.typtype <> 'p' AND t.typrelid = 0
        ORDER BY 1
    ) AS types
FROM pg_proc AS p
WHERE p.pronamespace = 'news'::regnamespace
ORDER BY p.proname, arguments;

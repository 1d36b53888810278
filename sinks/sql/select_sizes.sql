-- The tables by what they take, with their indexes and what is stored out of line; rows as PostgreSQL last counted them.
SELECT
    c.relname AS "table",
    greatest(coalesce(nullif(s.n_live_tup, 0), c.reltuples::bigint), 0)::bigint AS rows,
    coalesce(s.n_dead_tup, 0)::bigint AS dead_rows,
    pg_table_size(c.oid) AS table_bytes,
    pg_indexes_size(c.oid) AS index_bytes,
    pg_total_relation_size(c.oid) AS bytes,
    greatest(s.last_vacuum, s.last_autovacuum) AS vacuumed_at
FROM pg_class AS c
LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
WHERE c.relnamespace = 'ingest'::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY bytes DESC, c.relname

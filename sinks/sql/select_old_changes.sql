-- The smallest number to be kept, of the next so many changes, and the smallest one kept now (or `start`, where a dry run is
-- by now). Nothing is old: they are equal.
SELECT
    k.oldest,
    coalesce(
        (
            SELECT min(c.change)
            FROM ingest.changes AS c
            WHERE c.change >= k.oldest AND c.change < k.oldest + %(most)s AND c.changed_at >= %(before)s
        ),
        least(k.oldest + %(most)s, k.last + 1)
    ) AS keep
FROM (SELECT coalesce(%(start)s::bigint, oldest) AS oldest, last FROM ingest.change_counter) AS k

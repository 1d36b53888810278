-- Of these articles the texts that may go: not shown, given way to a newer one before `before` (by when the two were decided:
-- what comes late from an archive stays its time too), whose names no other text has, and that nothing which stays repeats.
WITH text AS MATERIALIZED (
    SELECT
        v.delivery_id,
        v.article_id,
        v.repeats,
        coalesce(
            NOT EXISTS (SELECT FROM ingest.shown AS s WHERE s.article_id = v.article_id AND s.delivery_id = v.delivery_id)
            AND greatest(
                v.decided_at,
                min(v.decided_at) FILTER (WHERE v.repeats IS NULL) OVER (
                    PARTITION BY v.article_id
                    ORDER BY v.observed_at, v.decided_at, v.log_offset, v.delivery_id
                    ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
                )
            ) < %(before)s
            AND count(*) FILTER (WHERE v.repeats IS NULL) OVER (
                PARTITION BY v.article_id
                ORDER BY v.observed_at, v.decided_at, v.log_offset, v.delivery_id
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ) > 0,
            false
        ) AS is_old
    FROM ingest.versions AS v
    JOIN ingest.articles AS a ON a.article_id = v.article_id AND a.withdrawn IS NULL
    WHERE v.article_id = any(%(article_ids)s::uuid [])
)

SELECT t.delivery_id, t.article_id
FROM text AS t
WHERE
    t.is_old
    AND NOT EXISTS (
        SELECT FROM ingest.versions AS c WHERE c.entities_of = t.delivery_id AND c.delivery_id <> t.delivery_id
    )
    AND NOT EXISTS (SELECT FROM text AS r WHERE r.article_id = t.article_id AND r.repeats = t.delivery_id AND NOT r.is_old)

-- Of these articles what the log took for a first delivery and is none, and what says so, in the order of the log
-- (between two logs: by its time). Mostly nothing. The log's own redeliveries prove nothing and are not read; of the
-- others, however many they are, the last ones before such a delivery, and those with its text or of its id.
WITH doubtful AS MATERIALIZED (
    SELECT d.*
    FROM ingest.decisions AS d
    CROSS JOIN LATERAL (
        SELECT f.decided_at, f.log_id, f.log_offset
        FROM ingest.decisions AS f
        WHERE f.article_id = d.article_id AND coalesce(f.log_kind, f.kind) <> 'redelivery'
        ORDER BY f.decided_at, f.log_id, f.log_offset
        LIMIT 1
    ) AS first
    WHERE
        d.article_id = any(%(article_ids)s::uuid [])
        AND coalesce(d.log_kind, d.kind) IN ('new', 'copy')
        AND (d.decided_at, d.log_id, d.log_offset) > (first.decided_at, first.log_id, first.log_offset)
),

before AS MATERIALIZED (
    SELECT e.*
    FROM doubtful AS d
    CROSS JOIN LATERAL (
        SELECT *
        FROM ingest.decisions AS b
        WHERE
            b.article_id = d.article_id
            AND coalesce(b.log_kind, b.kind) <> 'redelivery'
            AND (b.decided_at, b.log_id, b.log_offset) < (d.decided_at, d.log_id, d.log_offset)
        ORDER BY b.decided_at DESC, b.log_id DESC, b.log_offset DESC
        LIMIT 100
    ) AS e
    UNION
    SELECT e.*
    FROM doubtful AS d
    CROSS JOIN LATERAL (
        SELECT *
        FROM ingest.decisions AS b
        WHERE
            b.version_id = d.version_id
            AND b.article_id = d.article_id
            AND coalesce(b.log_kind, b.kind) <> 'redelivery'
            AND (b.decided_at, b.log_id, b.log_offset) < (d.decided_at, d.log_id, d.log_offset)
        ORDER BY b.decided_at DESC, b.log_id DESC, b.log_offset DESC
        LIMIT 100
    ) AS e
),

known AS (
    SELECT * FROM doubtful
    UNION
    SELECT * FROM before
    UNION
    -- The delivery itself, sent before; whose text it was that had not changed.
    SELECT e.*
    FROM (SELECT article_id, delivery_id FROM doubtful UNION SELECT article_id, of_delivery FROM before) AS b
    CROSS JOIN LATERAL (
        SELECT *
        FROM ingest.decisions AS s
        WHERE
            s.delivery_id = b.delivery_id
            AND s.article_id = b.article_id
            AND coalesce(s.log_kind, s.kind) <> 'redelivery'
        ORDER BY s.decided_at, s.log_id, s.log_offset
        LIMIT 100
    ) AS e
)

SELECT
    d.raw_topic_id,
    d.raw_partition,
    d.raw_offset,
    d.article_id,
    d.delivery_id,
    d.version_id,
    d.observed_at,
    d.kind,
    d.of_article,
    d.of_version,
    d.of_delivery,
    d.same_text_as,
    d.log_kind,
    d.retired,
    v.content_hash,
    v.kind AS version_kind,
    v.repeats,
    a.current_delivery,
    a.current_repeats
FROM known AS d
JOIN ingest.articles AS a ON a.article_id = d.article_id
LEFT JOIN ingest.versions AS v ON v.delivery_id = d.delivery_id
ORDER BY d.article_id, d.decided_at, d.log_id, d.log_offset

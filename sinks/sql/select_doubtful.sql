-- Of these articles those that the log took for a first delivery more than once, or too late: all their deliveries but
-- the log's redeliveries, in the order of the log (between two logs: by its time). Mostly none.
WITH placed AS MATERIALIZED (
    SELECT
        d.*,
        row_number() OVER (PARTITION BY d.article_id ORDER BY d.decided_at, d.log_id, d.log_offset) AS place
    FROM ingest.decisions AS d
    WHERE
        d.article_id = any(%(article_ids)s::uuid [])
        AND coalesce(d.log_kind, d.kind) IN ('new', 'copy', 'revision', 'unchanged')
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
    v.content_hash,
    v.kind AS version_kind,
    v.repeats,
    a.current_delivery,
    a.current_repeats
FROM placed AS d
JOIN ingest.articles AS a ON a.article_id = d.article_id
LEFT JOIN ingest.versions AS v ON v.delivery_id = d.delivery_id
WHERE
    d.article_id IN (
        SELECT p.article_id FROM placed AS p WHERE p.place > 1 AND coalesce(p.log_kind, p.kind) IN ('new', 'copy')
    )
ORDER BY d.article_id, d.place

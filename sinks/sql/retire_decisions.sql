-- The decisions about these articles go and leave their numbers: before the texts, which are counted with them.
WITH gone AS (
    DELETE FROM ingest.decisions AS d
    WHERE d.article_id = any(%(article_ids)s::uuid [])
    RETURNING
        d.raw_topic_id,
        d.log_id,
        d.kind,
        d.log_offset,
        coalesce(d.log_kind, d.kind) IN ('new', 'revision') AS is_text,
        -- As count_books.sql says it.
        d.retired IS NOT DISTINCT FROM 'text'
        OR EXISTS (
            SELECT FROM ingest.versions AS v WHERE v.delivery_id = d.delivery_id AND v.generation IS NOT NULL
        )
        OR EXISTS (
            SELECT FROM ingest.articles AS a WHERE a.article_id = d.article_id AND a.withdrawn = 'erased'
        ) AS is_stored
),

counted AS (
    INSERT INTO ingest.retired AS r (raw_topic_id, log_id, kind, deliveries, texts, stored, newest)
    SELECT
        g.raw_topic_id, g.log_id, g.kind, count(*), count(*) FILTER (WHERE g.is_text),
        count(*) FILTER (WHERE g.is_text AND g.is_stored), max(g.log_offset)
    FROM gone AS g
    GROUP BY g.raw_topic_id, g.log_id, g.kind
    ON CONFLICT (raw_topic_id, log_id, kind) DO UPDATE SET
        deliveries = r.deliveries + excluded.deliveries,
        texts = r.texts + excluded.texts,
        stored = r.stored + excluded.stored,
        newest = greatest(r.newest, excluded.newest)
)

SELECT count(*) AS decisions FROM gone

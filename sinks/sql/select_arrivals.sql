-- Deliveries whose story is complete since a moment: the decision, and for a text that is enriched its names too.
SELECT
    d.raw_topic_id,
    d.raw_partition,
    d.raw_offset,
    d.kind,
    d.source,
    a.title,
    e.language,
    e.sentiment_label,
    e.sentiment_score,
    (
        SELECT string_agg(n.name || ' (' || n.label || ')', ', ' ORDER BY n.entity)
        FROM (
            SELECT name, label, entity FROM ingest.entities
            WHERE entities.delivery_id = e.delivery_id ORDER BY entity LIMIT 4
        ) AS n
    ) AS entities
FROM ingest.decisions AS d
JOIN ingest.articles AS a ON a.article_id = d.article_id
LEFT JOIN ingest.versions AS v ON v.delivery_id = d.delivery_id
-- Its own names; those of its original only for what the log alone took for a copy.
LEFT JOIN ingest.versions AS e ON e.delivery_id = CASE WHEN d.kind = 'copy' THEN v.delivery_id ELSE v.entities_of END
WHERE
    d.decided_at >= %(since)s
    AND (coalesce(d.log_kind, d.kind) NOT IN ('new', 'revision') OR v.enriched_at IS NOT NULL)
ORDER BY d.decided_at, d.log_offset
LIMIT %(most)s;

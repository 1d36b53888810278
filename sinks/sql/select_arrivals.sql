-- Deliveries whose story is complete since a moment: the decision, and for a text that is enriched its names too.
SELECT
    d.raw_topic_id,
    d.raw_partition,
    d.raw_offset,
    d.kind,
    d.source,
    a.title,
    v.language,
    v.sentiment_label,
    v.sentiment_score,
    (
        SELECT string_agg(e.name || ' (' || e.label || ')', ', ' ORDER BY e.entity)
        FROM (
            SELECT name, label, entity FROM ingest.entities
            WHERE entities.delivery_id = v.delivery_id ORDER BY entity LIMIT 4
        ) AS e
    ) AS entities
FROM ingest.decisions AS d
JOIN ingest.articles AS a ON a.article_id = d.article_id
LEFT JOIN ingest.versions AS v ON v.delivery_id = d.delivery_id
WHERE
    d.decided_at >= %(since)s
    AND (d.kind NOT IN ('new', 'revision') OR v.enriched_at IS NOT NULL)
ORDER BY d.decided_at, d.log_offset
LIMIT %(most)s;

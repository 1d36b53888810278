-- Decisions about an article, a version or a delivery, or about the article at a URL, newest first, with what is stored.
SELECT
    d.kind,
    d.delivery_id,
    d.article_id,
    d.raw_partition,
    d.raw_offset,
    d.log_offset,
    d.of_article,
    v.delivery_id IS NOT NULL AS stored,
    v.generation,
    v.enrich_reason
FROM ingest.decisions AS d
LEFT JOIN ingest.versions AS v ON v.delivery_id = d.delivery_id
WHERE
    d.delivery_id = %(id)s
    OR d.article_id = %(id)s
    OR d.version_id = %(id)s
ORDER BY d.decided_at DESC, d.log_offset DESC
LIMIT 100;

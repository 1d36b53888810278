-- Decisions about a delivery or an article, or (where asked, by reading all) about a version, newest first, with what
-- is stored.
SELECT
    d.kind,
    coalesce(d.log_kind, d.kind) AS by_the_log,
    d.delivery_id,
    d.article_id,
    d.version_id,
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
    OR d.version_id = %(version_id)s
ORDER BY d.decided_at DESC, d.log_offset DESC
LIMIT 100;

-- Decisions about a delivery or an article, or (where asked, by reading all) about a version; the newest ones.
SELECT
    d.delivery_id, d.article_id, d.version_id, d.kind, d.method, d.of_article, d.of_version, d.of_delivery,
    d.same_text_as, d.contains, d.resembles, d.guard, d.score, d.threshold, d.rules_version, d.log_id, d.log_offset,
    d.decided_at, d.observed_at, d.source, d.raw_topic_id, d.raw_partition, d.raw_offset, d.log_kind
FROM ingest.decisions AS d
WHERE
    d.delivery_id = %(id)s
    OR d.article_id = %(id)s
    OR d.version_id = %(version_id)s
ORDER BY d.decided_at DESC, d.log_offset DESC
LIMIT %(most)s

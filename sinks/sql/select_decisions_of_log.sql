-- All decisions that one signature log led to, in its order.
SELECT
    d.delivery_id, d.article_id, d.version_id, d.kind, d.method, d.of_article, d.of_version, d.of_delivery,
    d.same_text_as, d.contains, d.resembles, d.guard, d.score, d.threshold, d.rules_version, d.log_id, d.log_offset,
    d.decided_at, d.observed_at, d.source, d.raw_topic_id, d.raw_partition, d.raw_offset, d.log_kind
FROM ingest.decisions AS d
WHERE
    d.log_id = %(log_id)s
    AND d.log_offset >= %(first)s
    AND d.log_offset < %(end)s
ORDER BY d.log_offset, d.raw_topic_id, d.raw_partition, d.raw_offset

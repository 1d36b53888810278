-- A replay repeats the same decision.
INSERT INTO ingest.decisions (
    raw_topic_id, raw_partition, raw_offset, delivery_id, article_id, version_id, kind, method, of_article, of_version,
    of_delivery, same_text_as, contains, resembles, guard, score, threshold, rules_version, log_id, log_offset,
    decided_at, observed_at, source
) VALUES (
    %(raw_topic_id)s, %(raw_partition)s, %(raw_offset)s, %(delivery_id)s, %(article_id)s, %(version_id)s, %(kind)s,
    %(method)s, %(of_article)s, %(of_version)s, %(of_delivery)s, %(same_text_as)s, %(contains)s, %(resembles)s,
    %(guard)s, %(score)s, %(threshold)s, %(rules_version)s, %(log_id)s, %(log_offset)s, %(decided_at)s,
    %(observed_at)s, %(source)s
)
ON CONFLICT (raw_topic_id, raw_partition, raw_offset) DO NOTHING

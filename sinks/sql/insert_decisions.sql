-- A replay repeats the same decision. Gives those that were not there.
INSERT INTO ingest.decisions (
    raw_topic_id, raw_partition, raw_offset, delivery_id, article_id, version_id, kind, method, of_article, of_version,
    of_delivery, same_text_as, contains, resembles, guard, score, threshold, rules_version, log_id, log_offset,
    decided_at, observed_at, source
)
SELECT
    raw_topic_id, raw_partition, raw_offset, delivery_id, article_id, version_id, kind, method, of_article, of_version,
    of_delivery, same_text_as, contains, resembles, guard, score, threshold, rules_version, log_id, log_offset,
    decided_at, observed_at, source
FROM json_to_recordset(%(rows)s::json) AS n (
    raw_topic_id uuid, raw_partition integer, raw_offset bigint, delivery_id uuid, article_id uuid, version_id uuid,
    kind text, method text, of_article uuid, of_version uuid, of_delivery uuid, same_text_as uuid, contains uuid,
    resembles uuid, guard text, score double precision, threshold double precision, rules_version integer, log_id uuid,
    log_offset bigint, decided_at timestamptz, observed_at timestamptz, source text
)
ON CONFLICT (raw_topic_id, raw_partition, raw_offset) DO NOTHING
RETURNING delivery_id, log_id, log_offset

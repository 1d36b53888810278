-- One dead letter with all that is known of it.
SELECT
    id, stage, reason, detail, topic, topic_id, partition, record_offset, origin, length, sha256, truncated, tries,
    failed_at, worker, value
FROM ingest.dead_letters
WHERE id = %(id)s;

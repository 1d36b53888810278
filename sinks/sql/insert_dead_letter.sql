-- Doubles of one dead letter fall together.
INSERT INTO ingest.dead_letters (
    id, stage, reason, detail, topic, topic_id, partition, record_offset, origin, key, value, length, sha256, tries,
    truncated, failed_at, worker
) VALUES (
    %(id)s, %(stage)s, %(reason)s, %(detail)s, %(topic)s, %(topic_id)s, %(partition)s, %(record_offset)s, %(origin)s,
    %(key)s, %(value)s, %(length)s, %(sha256)s, %(tries)s, %(truncated)s, %(failed_at)s, %(worker)s
)
ON CONFLICT (id) DO NOTHING

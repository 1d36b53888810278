-- The row of a partition that nobody read before.
INSERT INTO ingest.positions (topic_id, partition, topic, next_offset)
VALUES (%(topic_id)s, %(partition)s, %(topic)s, 0)
ON CONFLICT (topic_id, partition) DO NOTHING

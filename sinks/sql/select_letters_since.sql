-- Dead letters that became rows since a moment.
SELECT id, stage, reason, detail, origin, topic, partition, record_offset
FROM ingest.dead_letters
WHERE ingested_at >= %(since)s
ORDER BY ingested_at, id
LIMIT %(most)s;

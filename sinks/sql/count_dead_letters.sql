-- Distinct records of one topic id that a stage gave up; what never reached Kafka counts by its own id.
SELECT stage, count(DISTINCT coalesce(topic_id::text || '/' || partition || '/' || record_offset, id::text)) AS count
FROM ingest.dead_letters
WHERE %(topic_id)s::uuid IS NULL OR topic_id = %(topic_id)s::uuid
GROUP BY stage

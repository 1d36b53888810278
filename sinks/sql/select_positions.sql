-- All stored places, of topics that were deleted as well.
SELECT topic_id, partition, topic, next_offset
FROM ingest.positions
ORDER BY topic, topic_id, partition

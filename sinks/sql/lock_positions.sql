-- The stored places of these partitions, locked in one fixed order: a zombie waits here for its successor.
SELECT topic_id, partition, next_offset
FROM ingest.positions
JOIN unnest(%(topic_ids)s::uuid [], %(partitions)s::integer []) AS wanted (topic_id, partition)
    USING (topic_id, partition)
ORDER BY topic_id, partition
FOR UPDATE OF positions

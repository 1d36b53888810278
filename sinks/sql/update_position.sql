-- In the transaction of the rows.
UPDATE ingest.positions
SET next_offset = %(next_offset)s, topic = %(topic)s, written_at = now()
WHERE topic_id = %(topic_id)s AND partition = %(partition)s

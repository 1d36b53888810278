-- Where a reader begins in a partition.
INSERT INTO topic_places (reader, topic, partition, topic_id, next_offset)
VALUES (:reader, :topic, :partition, :topic_id, :next_offset);

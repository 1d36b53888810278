-- Where a reader goes on in a topic.
SELECT partition, topic_id, next_offset FROM topic_places WHERE reader = :reader AND topic = :topic ORDER BY partition;

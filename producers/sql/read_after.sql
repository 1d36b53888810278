-- The next records in sending order.
SELECT seq, topic, key, value, headers, delivery_id, size FROM records WHERE seq > :seq ORDER BY seq LIMIT :limit;

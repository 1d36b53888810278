-- One record to send.
INSERT INTO records (topic, key, value, headers, delivery_id, size)
VALUES (:topic, :key, :value, :headers, :delivery_id, :size);

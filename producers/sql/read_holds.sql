-- Whether a record with this delivery id or key waits: a look at all of them, for a person who asks.
SELECT EXISTS (SELECT 1 FROM records WHERE delivery_id = :id OR key = :key);

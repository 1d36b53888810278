-- How far each reader of another topic is in each partition; written in the transaction of the rows that came from there.
CREATE TABLE IF NOT EXISTS topic_places (
    reader TEXT NOT NULL,  -- the consumer group
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    topic_id TEXT NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (reader, topic, partition)
) WITHOUT ROWID;

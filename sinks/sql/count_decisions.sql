-- Decision rows by kind: one row a place on articles.raw, so replays count once.
SELECT kind, count(*) AS count
FROM ingest.decisions
WHERE %(raw_topic_id)s::uuid IS NULL OR raw_topic_id = %(raw_topic_id)s::uuid
GROUP BY kind

-- Dead letters of erased articles, by the key of their records or by their places on articles.raw. The rows stay: the
-- books count them.
UPDATE ingest.dead_letters AS l
SET detail = '', key = NULL, value = '', origin = NULL, truncated = true, erased = true
WHERE
    NOT l.erased
    AND (
        l.key = any(%(keys)s::bytea [])
        OR (l.topic_id, l.partition, l.record_offset) IN (
            SELECT d.raw_topic_id, d.raw_partition, d.raw_offset
            FROM ingest.decisions AS d
            WHERE d.article_id = any(%(article_ids)s::uuid [])
        )
    )

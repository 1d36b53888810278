-- As blank_letters, of those that came now: their articles may have been erased before.
UPDATE ingest.dead_letters AS l
SET detail = '', key = NULL, value = '', origin = NULL, truncated = true, erased = true
WHERE
    l.id = any(%(ids)s::uuid [])
    AND NOT l.erased
    AND EXISTS (
        SELECT FROM ingest.articles AS a
        WHERE
            a.withdrawn = 'erased'
            AND (
                l.key = convert_to(a.article_id::text, 'UTF8')
                OR EXISTS (
                    SELECT FROM ingest.decisions AS d
                    WHERE
                        d.article_id = a.article_id
                        AND (d.raw_topic_id, d.raw_partition, d.raw_offset) = (l.topic_id, l.partition, l.record_offset)
                )
            )
    )

-- The last statement of a transaction. The counter is locked until that commits, so no number can be seen before a
-- smaller one, and those of a transaction that is undone are given out again. A reader that listens and does not read
-- lets PostgreSQL's queue grow until NOTIFY fails: then rather none.
WITH counted AS (
    UPDATE ingest.change_counter
    SET last = last + %(count)s
    RETURNING last, last - %(count)s AS before, clock_timestamp() AS now
),

appended AS (
    INSERT INTO ingest.changes (change, kind, changed_at, article_id, version_id, delivery_id, generation)
    SELECT c.before + n.number, n.kind, c.now, n.article_id, n.version_id, n.delivery_id, n.generation
    FROM counted AS c
    CROSS JOIN unnest(
        %(kinds)s::text [], %(article_ids)s::uuid [], %(version_ids)s::uuid [], %(delivery_ids)s::uuid [],
        %(generations)s::integer []
    ) WITH ORDINALITY AS n (kind, article_id, version_id, delivery_id, generation, number)
)

SELECT pg_notify('news_changed', c.last::text)
FROM counted AS c
WHERE pg_notification_queue_usage() < 0.5

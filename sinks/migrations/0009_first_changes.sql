-- What was stored before there were changes, as if it had just come: whoever reads from 0 misses nothing. A migration of
-- its own, so that no lock of the one before is held for as long as this takes; no older sink can write meanwhile.

WITH stored AS MATERIALIZED (
    SELECT
        v.kind, v.article_id, v.version_id, v.delivery_id, v.generation,
        row_number() OVER (ORDER BY v.decided_at, v.log_id, v.log_offset, v.delivery_id) AS number
    FROM ingest.versions AS v
    WHERE
        v.repeats IS NULL
        AND EXISTS (
            SELECT FROM ingest.decisions AS d
            WHERE d.delivery_id = v.delivery_id AND d.log_id = v.log_id AND d.log_offset = v.log_offset
        )
),

counted AS (
    UPDATE ingest.change_counter SET last = last + (SELECT count(*) FROM stored)
)

INSERT INTO ingest.changes (change, kind, changed_at, article_id, version_id, delivery_id, generation)
SELECT number, kind, now(), article_id, version_id, delivery_id, generation
FROM stored;

-- This side of the books: deliveries decided and refused by raw coordinates, texts promised and stored. What was sent
-- to be enriched is what the log alone said, whoever had the last word on it.
SELECT
    (SELECT count(*) FROM ingest.decisions WHERE raw_topic_id = %(raw_id)s) AS decided,
    (
        SELECT count(DISTINCT (partition, record_offset))
        FROM ingest.dead_letters WHERE topic_id = %(raw_id)s AND stage = 'deduplicate'
    ) AS refused,
    (
        SELECT count(*)
        FROM ingest.decisions WHERE raw_topic_id = %(raw_id)s AND coalesce(log_kind, kind) IN ('new', 'revision')
    ) AS texts,
    (
        SELECT count(*)
        FROM ingest.decisions AS d
        JOIN ingest.versions AS v ON v.delivery_id = d.delivery_id AND v.generation IS NOT NULL
        WHERE d.raw_topic_id = %(raw_id)s AND coalesce(d.log_kind, d.kind) IN ('new', 'revision')
    ) AS stored,
    (
        SELECT count(DISTINCT (topic_id, partition, record_offset))
        FROM ingest.dead_letters
        WHERE
            (topic_id = %(unique_id)s AND stage = 'enrich' AND reason <> 'poison')
            OR (topic_id = %(enriched_id)s AND stage = 'sink')
    ) AS texts_refused,
    (
        SELECT count(DISTINCT (partition, record_offset))
        FROM ingest.dead_letters WHERE topic_id = %(decisions_id)s AND stage = 'sink'
    ) AS decisions_refused;

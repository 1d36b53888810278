-- This side of the books: deliveries decided and refused by raw coordinates, texts promised and stored. What was sent
-- to be enriched is what the log alone said, whoever had the last word on it. What retention removed was stored, and so was
-- (or will never be) what was erased.
SELECT
    (SELECT count(*) FROM ingest.decisions WHERE raw_topic_id = %(raw_id)s)
    + (SELECT coalesce(sum(deliveries), 0) FROM ingest.retired WHERE raw_topic_id = %(raw_id)s)::bigint AS decided,
    (
        SELECT count(DISTINCT (partition, record_offset))
        FROM ingest.dead_letters WHERE topic_id = %(raw_id)s AND stage = 'deduplicate'
    ) AS refused,
    (
        SELECT count(*)
        FROM ingest.decisions WHERE raw_topic_id = %(raw_id)s AND coalesce(log_kind, kind) IN ('new', 'revision')
    )
    + (SELECT coalesce(sum(texts), 0) FROM ingest.retired WHERE raw_topic_id = %(raw_id)s)::bigint AS texts,
    (
        SELECT count(*)
        FROM ingest.decisions AS d
        LEFT JOIN ingest.versions AS v ON v.delivery_id = d.delivery_id AND v.generation IS NOT NULL
        LEFT JOIN ingest.articles AS a ON a.article_id = d.article_id AND a.withdrawn = 'erased'
        WHERE
            d.raw_topic_id = %(raw_id)s
            AND coalesce(d.log_kind, d.kind) IN ('new', 'revision')
            AND (v.delivery_id IS NOT NULL OR d.retired = 'text' OR a.article_id IS NOT NULL)
    )
    + (SELECT coalesce(sum(stored), 0) FROM ingest.retired WHERE raw_topic_id = %(raw_id)s)::bigint AS stored,
    (
        SELECT count(DISTINCT (topic_id, partition, record_offset))
        FROM ingest.dead_letters
        WHERE
            NOT erased
            AND (
                (topic_id = %(unique_id)s AND stage = 'enrich' AND reason <> 'poison')
                OR (topic_id = %(enriched_id)s AND stage = 'sink')
            )
    ) AS texts_refused,
    (
        SELECT count(DISTINCT (partition, record_offset))
        FROM ingest.dead_letters WHERE topic_id = %(decisions_id)s AND stage = 'sink'
    ) AS decisions_refused;

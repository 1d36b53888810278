-- A page of the stored texts whose enrichment is stale, by delivery id, each with the decision it came by, as the log
-- made it: what the database said later (log_kind) follows from the rows and is left out. Stale: made by another
-- configuration than the one that is its language's now; or of the reason asked for.
SELECT
    v.delivery_id, v.article_id, v.version_id,
    coalesce(d.log_kind, d.kind) AS kind,
    CASE WHEN d.log_kind IS NULL THEN d.method END AS method,
    CASE WHEN d.log_kind IS NULL THEN d.of_article END AS of_article,
    CASE WHEN d.log_kind IS NULL THEN d.of_version END AS of_version,
    CASE WHEN d.log_kind IS NULL THEN d.of_delivery END AS of_delivery,
    CASE WHEN d.log_kind IS NULL THEN d.same_text_as END AS same_text_as,
    d.contains, d.resembles, d.guard, d.score, d.threshold, d.rules_version,
    v.log_id, v.log_offset, v.decided_at, d.raw_topic_id, d.raw_partition, d.raw_offset, v.observed_at, v.source,
    v.url, v.source_item_id, v.title, v.byline, v.declared_language, v.published_at, v.updated_at, v.notes,
    coalesce(v.raw, v.text) AS raw, v.text, v.removed, v.content_hash, v.targets, v.generation, v.language,
    v.details
FROM ingest.versions AS v
JOIN ingest.decisions AS d
    ON d.delivery_id = v.delivery_id AND d.log_id = v.log_id AND d.log_offset = v.log_offset
WHERE
    v.generation IS NOT NULL
    AND (%(after)s::uuid IS NULL OR v.delivery_id > %(after)s)
    AND CASE
        WHEN %(reason)s::text IS NOT NULL THEN v.enrich_reason = %(reason)s
        ELSE
            v.models ->> 'config'
            IS DISTINCT FROM coalesce(%(configs)s::jsonb ->> coalesce(v.language, ''), %(others)s)
    END
    AND (%(language)s::text IS NULL OR v.language = %(language)s)
    AND (%(source)s::text IS NULL OR v.source = %(source)s)
    AND (%(since)s::timestamptz IS NULL OR v.observed_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR v.observed_at < %(until)s)
ORDER BY v.delivery_id
LIMIT %(most)s

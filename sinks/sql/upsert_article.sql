-- The newest delivery speaks for the article: by observed_at, then place in the log (between two logs: by its time).
INSERT INTO ingest.articles AS a (
    article_id, current_delivery, observed_at, log_id, log_offset, decided_at, first_seen_at, source, source_item_id,
    url, title, byline, language, published_at, updated_at, notes,
    details
) VALUES (
    %(article_id)s, %(current_delivery)s, %(observed_at)s, %(log_id)s, %(log_offset)s, %(decided_at)s,
    %(observed_at)s, %(source)s, %(source_item_id)s, %(url)s, %(title)s, %(byline)s, %(language)s, %(published_at)s,
    %(updated_at)s, %(notes)s, %(details)s::jsonb
)
ON CONFLICT (article_id) DO UPDATE SET
    current_delivery = excluded.current_delivery,
    observed_at = excluded.observed_at,
    log_id = excluded.log_id,
    log_offset = excluded.log_offset,
    decided_at = excluded.decided_at,
    first_seen_at = least(a.first_seen_at, excluded.first_seen_at),
    source = excluded.source,
    source_item_id = excluded.source_item_id,
    url = excluded.url,
    title = excluded.title,
    byline = excluded.byline,
    language = excluded.language,
    published_at = excluded.published_at,
    updated_at = excluded.updated_at,
    notes = excluded.notes,
    details = excluded.details
WHERE
    excluded.observed_at > a.observed_at
    OR (
        excluded.observed_at = a.observed_at
        AND CASE
            WHEN excluded.log_id = a.log_id THEN excluded.log_offset > a.log_offset
            ELSE (excluded.decided_at, excluded.log_id) > (a.decided_at, a.log_id)
        END
    )

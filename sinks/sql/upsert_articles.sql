-- The newest delivery speaks for the article: by observed_at, then place in the log (between two logs: by its time).
-- Each row is locked, written or not, in the order of the ids: who writes to the same articles meanwhile waits here, and
-- sees these rows from the next statement on. Gives those that were written, and whether they were there.
INSERT INTO ingest.articles AS a (
    article_id, current_delivery, observed_at, log_id, log_offset, decided_at, first_seen_at, source, source_item_id,
    url, title, byline, language, published_at, updated_at, notes, details
)
SELECT
    article_id, current_delivery, observed_at, log_id, log_offset, decided_at, first_seen_at, source, source_item_id,
    url, title, byline, language, published_at, updated_at, notes, details::jsonb
FROM json_to_recordset(%(rows)s::json) AS n (
    article_id uuid, current_delivery uuid, observed_at timestamptz, log_id uuid, log_offset bigint,
    decided_at timestamptz, first_seen_at timestamptz, source text, source_item_id text, url text, title text,
    byline text, language text, published_at timestamptz, updated_at timestamptz, notes text [], details text
)
ORDER BY article_id
ON CONFLICT (article_id) DO UPDATE SET
    current_delivery = excluded.current_delivery,
    observed_at = excluded.observed_at,
    log_id = excluded.log_id,
    log_offset = excluded.log_offset,
    decided_at = excluded.decided_at,
    -- Of a row that stands only for a word that it is withdrawn, no time counts.
    first_seen_at = CASE
        WHEN a.current_delivery = '00000000-0000-0000-0000-000000000000' THEN excluded.first_seen_at
        ELSE least(a.first_seen_at, excluded.first_seen_at)
    END,
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
    a.withdrawn IS DISTINCT FROM 'erased'
    AND (
        excluded.observed_at > a.observed_at
        OR (
            excluded.observed_at = a.observed_at
            AND CASE
                WHEN excluded.log_id = a.log_id THEN excluded.log_offset > a.log_offset
                ELSE (excluded.decided_at, excluded.log_id) > (a.decided_at, a.log_id)
            END
        )
    )
RETURNING a.article_id, old.article_id IS NOT NULL AS was_there

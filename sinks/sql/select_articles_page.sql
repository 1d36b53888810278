-- A page of articles as readers see them, newest first by when they were first seen, behind a place. Which ones they are is
-- found in one table first; `title` is a pattern for ILIKE.
WITH wanted AS MATERIALIZED (
    SELECT article_id
    FROM news.titles
    WHERE
        (%(source)s::text IS NULL OR source = %(source)s::text)
        AND (%(since)s::timestamptz IS NULL OR first_seen_at >= %(since)s::timestamptz)
        AND (%(until)s::timestamptz IS NULL OR first_seen_at < %(until)s::timestamptz)
        AND (%(title)s::text IS NULL OR title ILIKE %(title)s::text)
        AND (
            %(after_id)s::uuid IS NULL
            OR (first_seen_at, article_id) < (%(after_time)s::timestamptz, %(after_id)s::uuid)
        )
    ORDER BY first_seen_at DESC, article_id DESC
    LIMIT %(limit)s
)

SELECT
    a.article_id,
    a.version_id,
    a.source,
    a.url,
    a.title,
    a.byline,
    a.language,
    a.published_at,
    a.updated_at,
    a.first_seen_at,
    a.last_seen_at,
    a.sentiment_label,
    a.sentiment_score,
    a.copy_of,
    a.versions
FROM wanted AS w
JOIN news.articles AS a ON a.article_id = w.article_id
ORDER BY a.first_seen_at DESC, a.article_id DESC

-- A page of articles as readers see them, newest first by when they were first seen, behind a place.
SELECT
    article_id,
    version_id,
    source,
    url,
    title,
    byline,
    language,
    published_at,
    updated_at,
    first_seen_at,
    last_seen_at,
    sentiment_label,
    sentiment_score,
    copy_of,
    versions
FROM news.articles
WHERE
    (%(source)s::text IS NULL OR source = %(source)s::text)
    AND (%(since)s::timestamptz IS NULL OR first_seen_at >= %(since)s::timestamptz)
    AND (%(until)s::timestamptz IS NULL OR first_seen_at < %(until)s::timestamptz)
    AND (%(q)s::text IS NULL OR strpos(lower(title), lower(%(q)s::text)) > 0)
    AND (
        %(after_id)s::uuid IS NULL
        OR (first_seen_at, article_id) < (%(after_time)s::timestamptz, %(after_id)s::uuid)
    )
ORDER BY first_seen_at DESC, article_id DESC
LIMIT %(limit)s

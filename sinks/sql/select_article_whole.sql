-- One article as readers see it.
SELECT
    article_id,
    version_id,
    source,
    url,
    title,
    byline,
    text,
    raw,
    language,
    published_at,
    updated_at,
    first_seen_at,
    last_seen_at,
    content_changed_at,
    sentiment_label,
    sentiment_score,
    copy_of,
    versions
FROM news.articles
WHERE article_id = %(article_id)s

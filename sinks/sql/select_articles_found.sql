-- Articles as readers see them, newest first by when they were first seen: see news.find_articles. Texts only where asked for.
SELECT
    a.article_id,
    a.version_id,
    a.source,
    a.url,
    a.title,
    a.byline,
    CASE WHEN %(with_text)s THEN a.text END AS text,
    CASE WHEN %(with_text)s THEN a.raw END AS raw,
    a.language,
    a.published_at,
    a.updated_at,
    a.first_seen_at,
    a.last_seen_at,
    a.content_changed_at,
    a.sentiment_label,
    a.sentiment_score,
    a.copy_of,
    a.versions,
    a.categories,
    a.enclosures,
    a.published_at_from,
    a.extractor,
    a.flags,
    a.copies,
    a.raw_topic_id,
    a.raw_partition,
    a.raw_offset,
    a.delivery_id
FROM news.find_articles(
    words => %(words)s::text [],
    entity => %(entity)s::text,
    source => %(source)s::text,
    language => %(language)s::text,
    since => %(since)s::timestamptz,
    until => %(until)s::timestamptz,
    sentiment => %(sentiment)s::text,
    copies => %(copies)s::boolean,
    after => %(after)s::uuid,
    most => %(most)s::integer
) AS f
JOIN news.articles AS a ON a.article_id = f.article_id
ORDER BY f.first_seen_at DESC, f.article_id DESC

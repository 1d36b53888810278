-- Articles with these words, or all that pass the filters: as news.search gives them.
SELECT
    article_id,
    title,
    headline,
    source,
    url,
    language,
    published_at,
    first_seen_at,
    sentiment_label,
    sentiment_score,
    copy_of,
    score,
    is_cut,
    after
FROM
    news.search(
        words => %(words)s::text,
        source => %(source)s::text,
        entity => %(entity)s::text,
        language => %(language)s::text,
        since => %(since)s::timestamptz,
        until => %(until)s::timestamptz,
        sentiment => %(sentiment)s::text,
        "limit" => %(limit)s::integer,
        after => %(after)s::text
    )

-- All of news.articles, or those of a source or language first seen in a time.
SELECT *
FROM news.articles
WHERE
    (%(source)s::text IS NULL OR source = %(source)s::text)
    AND (%(language)s::text IS NULL OR language = %(language)s::text)
    AND (%(since)s::timestamptz IS NULL OR first_seen_at >= %(since)s::timestamptz)
    AND (%(until)s::timestamptz IS NULL OR first_seen_at < %(until)s::timestamptz)

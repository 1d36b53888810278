-- All of news.article_versions, or those of a source or language observed in a time.
SELECT *
FROM news.article_versions
WHERE
    (%(source)s::text IS NULL OR source = %(source)s::text)
    AND (%(language)s::text IS NULL OR language = %(language)s::text)
    AND (%(since)s::timestamptz IS NULL OR observed_at >= %(since)s::timestamptz)
    AND (%(until)s::timestamptz IS NULL OR observed_at < %(until)s::timestamptz)

-- All of news.article_entities, or those of the articles of a source or language first seen in a time.
SELECT *
FROM news.article_entities
WHERE
    num_nulls(%(source)s::text, %(language)s::text, %(since)s::timestamptz, %(until)s::timestamptz) = 4
    OR article_id IN (
        SELECT a.article_id
        FROM news.articles AS a
        WHERE
            (%(source)s::text IS NULL OR a.source = %(source)s::text)
            AND (%(language)s::text IS NULL OR a.language = %(language)s::text)
            AND (%(since)s::timestamptz IS NULL OR a.first_seen_at >= %(since)s::timestamptz)
            AND (%(until)s::timestamptz IS NULL OR a.first_seen_at < %(until)s::timestamptz)
    )

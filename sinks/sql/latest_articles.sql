-- The articles seen first most recently; `words` all stand in the title or in a name, `entity` in a name.
SELECT a.article_id, a.source, a.url, a.title, a.published_at, a.first_seen_at, a.sentiment_label, a.copy_of, a.versions
FROM news.articles AS a
WHERE
    NOT EXISTS (
        SELECT
        FROM unnest(%(words)s::text []) AS word
        WHERE
            strpos(lower(a.title), lower(word)) = 0
            AND NOT EXISTS (
                SELECT
                FROM news.article_entities AS e
                WHERE e.article_id = a.article_id AND strpos(lower(e.name), lower(word)) > 0
            )
    )
    AND (
        %(entity)s::text IS NULL
        OR EXISTS (
            SELECT
            FROM news.article_entities AS e
            WHERE e.article_id = a.article_id AND strpos(lower(e.name), lower(%(entity)s::text)) > 0
        )
    )
ORDER BY a.first_seen_at DESC, a.article_id DESC
LIMIT %(limit)s

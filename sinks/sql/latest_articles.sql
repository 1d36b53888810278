-- The articles seen first most recently; `words` all stand in the title or in a name, `entity` in a name.
-- The names are looked at first, each once: asking article by article is quadratic.
WITH named AS MATERIALIZED (
    SELECT e.delivery_id, e.name
    FROM ingest.entities AS e
    WHERE
        EXISTS (SELECT FROM unnest(%(words)s::text []) AS word WHERE strpos(lower(e.name), lower(word)) > 0)
        OR strpos(lower(e.name), lower(%(entity)s::text)) > 0
),

shown AS MATERIALIZED (
    SELECT v.article_id, n.name
    FROM named AS n
    JOIN ingest.versions AS v ON v.entities_of = n.delivery_id
    JOIN ingest.shown AS s ON s.article_id = v.article_id AND s.delivery_id = v.delivery_id
),

wanted AS MATERIALIZED (
    SELECT a.article_id, a.title
    FROM ingest.articles AS a
    WHERE
        EXISTS (SELECT FROM ingest.versions AS v WHERE v.article_id = a.article_id)
        AND NOT EXISTS (
            SELECT
            FROM unnest(%(words)s::text []) AS word
            WHERE
                strpos(lower(a.title), lower(word)) = 0
                AND a.article_id NOT IN (SELECT s.article_id FROM shown AS s WHERE strpos(lower(s.name), lower(word)) > 0)
        )
        AND (
            %(entity)s::text IS NULL
            OR a.article_id IN (
                SELECT s.article_id FROM shown AS s WHERE strpos(lower(s.name), lower(%(entity)s::text)) > 0
            )
        )
    ORDER BY a.first_seen_at DESC, a.article_id DESC
    LIMIT %(limit)s
)

SELECT a.article_id, a.source, a.url, a.title, a.published_at, a.first_seen_at, a.sentiment_label, a.copy_of, a.versions
FROM wanted AS w
JOIN news.articles AS a ON a.article_id = w.article_id
ORDER BY a.first_seen_at DESC, a.article_id DESC

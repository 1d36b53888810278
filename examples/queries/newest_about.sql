-- The newest articles that name somebody or something.
-- name: a name in any form, or a part of one; most: how many articles.
\if :{?name} \else \set name 'Blinken' \endif
\if :{?most} \else \set most 20 \endif

SELECT
    a.first_seen_at,
    a.source,
    a.title,
    e.name,
    e.count AS mentions,
    e.sentiment_label,
    a.copy_of IS NOT NULL AS is_copy
FROM news.article_entities AS e
JOIN news.articles AS a ON a.article_id = e.article_id
-- An array, here and in the queries like this: so only the rows of these names are looked at.
WHERE e.register_id = ANY(ARRAY(SELECT register_id FROM news.find_names(:'name')))
ORDER BY a.first_seen_at DESC, a.article_id, e.name
LIMIT :most;

-- The names in most articles, of those that `part` is or is in, and of a label.
SELECT name, label, articles, mentions, sentiment_score, entity_id, aliases
FROM news.entities
WHERE
    (
        %(part)s::text IS NULL
        OR register_id = any(ARRAY(SELECT n.register_id FROM news.find_names(%(part)s::text, 1000) AS n))
    )
    AND (%(label)s::text IS NULL OR label = %(label)s::text)
ORDER BY articles DESC, mentions DESC, name, label, register_id
LIMIT %(most)s

-- The names in most articles; `word` stands in the name or in another form of it, `label` is its label.
SELECT name, label, articles, mentions, sentiment_score, entity_id, aliases
FROM news.entities
WHERE
    (
        %(word)s::text IS NULL
        OR strpos(lower(name), lower(%(word)s::text)) > 0
        OR EXISTS (SELECT FROM unnest(aliases) AS alias WHERE strpos(lower(alias), lower(%(word)s::text)) > 0)
    )
    AND (%(label)s::text IS NULL OR label = %(label)s::text)
ORDER BY articles DESC, mentions DESC, name, label, register_id
LIMIT %(limit)s

-- The names in most articles; `word` stands in the name, `label` is its label.
SELECT name, label, articles, mentions
FROM news.entities
WHERE
    (%(word)s::text IS NULL OR strpos(lower(name), lower(%(word)s::text)) > 0)
    AND (%(label)s::text IS NULL OR label = %(label)s::text)
ORDER BY articles DESC, mentions DESC, name, label
LIMIT %(limit)s

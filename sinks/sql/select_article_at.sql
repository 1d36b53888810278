-- The articles that were last delivered under one of these addresses.
SELECT article_id
FROM ingest.articles
WHERE url = any(%(urls)s::text [])
ORDER BY first_seen_at, article_id
LIMIT 1

-- The article that was last delivered under one of these addresses, as readers see it.
SELECT article_id FROM news.articles WHERE url = any(%(urls)s::text []) ORDER BY first_seen_at, article_id LIMIT 1

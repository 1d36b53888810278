-- The stored texts of an article, the oldest first, without the texts themselves.
SELECT delivery_id, version_id, kind, is_current, observed_at, title, length(text) AS characters
FROM news.article_versions
WHERE article_id = %(article_id)s
ORDER BY observed_at, decided_at, delivery_id

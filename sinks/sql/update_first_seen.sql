-- What is not the newest may still be the earliest.
UPDATE ingest.articles
SET first_seen_at = %(observed_at)s
WHERE article_id = %(article_id)s AND first_seen_at > %(observed_at)s

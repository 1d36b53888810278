-- Whose text the newest delivery has again; current_delivery stays what its record says.
UPDATE ingest.articles
SET current_repeats = %(current_repeats)s
WHERE article_id = %(article_id)s

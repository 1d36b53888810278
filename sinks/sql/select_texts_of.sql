-- The stored texts of these articles.
SELECT delivery_id FROM ingest.versions WHERE article_id = any(%(article_ids)s::uuid [])

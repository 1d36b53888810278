-- With their rows of search. What was taken back stays: it says so to what may come of it yet.
DELETE FROM ingest.articles WHERE article_id = any(%(article_ids)s::uuid []) AND withdrawn IS NULL

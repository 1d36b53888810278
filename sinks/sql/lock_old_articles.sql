-- In the order in which every sink locks them; those that one writes to at this moment are left for the next time.
SELECT a.article_id
FROM ingest.articles AS a
WHERE a.article_id = any(%(article_ids)s::uuid [])
ORDER BY a.article_id
FOR UPDATE SKIP LOCKED

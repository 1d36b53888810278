-- These articles, held until the transaction ends: nobody writes to them meanwhile.
SELECT article_id
FROM ingest.articles
WHERE article_id = any(%(article_ids)s::uuid [])
ORDER BY article_id
FOR NO KEY UPDATE

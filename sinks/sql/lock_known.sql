-- The rows of these articles and of those whose names they have as copies, in the order of their ids: what search knows
-- of a copy comes from both, so whoever writes one of them waits for whoever writes the other.
WITH wanted AS (
    SELECT unnest(%(article_ids)s::uuid []) AS article_id
    UNION
    SELECT v.copy_of FROM ingest.versions AS v WHERE v.article_id = any(%(article_ids)s::uuid [])
)

SELECT a.article_id
FROM ingest.articles AS a
WHERE a.article_id IN (SELECT w.article_id FROM wanted AS w)
ORDER BY a.article_id
FOR NO KEY UPDATE

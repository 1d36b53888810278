-- All texts of these articles, with their names and mentions. Gives the articles that had their names, as copies do.
WITH gone AS (
    DELETE FROM ingest.versions WHERE article_id = any(%(article_ids)s::uuid []) RETURNING delivery_id
)

SELECT DISTINCT v.article_id
FROM gone AS g
JOIN ingest.versions AS v ON v.entities_of = g.delivery_id

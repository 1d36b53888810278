-- The decisions that brought these texts are told that they go: the books count them as stored, and a late enrichment of one
-- is left out. What the database said of others because of them (they repeat it) stands, as it could not be said anew.
UPDATE ingest.decisions AS d
SET retired = CASE WHEN d.delivery_id = any(%(delivery_ids)s::uuid []) THEN 'text' ELSE 'word' END
WHERE
    d.article_id = any(%(article_ids)s::uuid [])
    AND (
        (d.delivery_id = any(%(delivery_ids)s::uuid []) AND d.retired IS DISTINCT FROM 'text')
        OR (
            d.of_delivery = any(%(delivery_ids)s::uuid [])
            AND d.log_kind IS NOT NULL
            AND d.kind IN ('redelivery', 'unchanged')
            AND d.retired IS NULL
        )
    )

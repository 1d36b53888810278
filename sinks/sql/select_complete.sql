-- Of these deliveries the versions that readers see, with the decision that brought each.
SELECT v.delivery_id, v.log_id, v.log_offset, v.kind, v.article_id, v.version_id, v.generation, v.told, v.decided_at
FROM ingest.versions AS v
JOIN ingest.articles AS a ON a.article_id = v.article_id AND a.withdrawn IS NULL
WHERE
    v.delivery_id = any(%(delivery_ids)s::uuid [])
    AND v.repeats IS NULL
    AND EXISTS (
        SELECT FROM ingest.decisions AS d
        WHERE d.delivery_id = v.delivery_id AND d.log_id = v.log_id AND d.log_offset = v.log_offset
    )

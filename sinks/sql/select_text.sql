-- One stored text of an article: that of a delivery, else the newest of a version, else the newest before a decision.
SELECT v.delivery_id, v.article_id, v.version_id, v.source, v.url, v.title, v.text, v.removed
FROM ingest.versions AS v
WHERE
    v.article_id = %(article_id)s
    AND (%(delivery_id)s::uuid IS NULL OR v.delivery_id = %(delivery_id)s)
    AND (%(delivery_id)s::uuid IS NOT NULL OR %(version_id)s::uuid IS NULL OR v.version_id = %(version_id)s)
    AND (
        coalesce(%(delivery_id)s::uuid, %(version_id)s::uuid) IS NOT NULL
        OR (v.decided_at, v.log_offset) < (%(decided_at)s, %(log_offset)s)
    )
ORDER BY v.decided_at DESC, v.log_offset DESC
LIMIT 1

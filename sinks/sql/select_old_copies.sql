-- A page of the texts that copy another article's, by when they were decided, from behind a place.
SELECT v.decided_at AS place, v.delivery_id AS id, v.article_id, true AS is_old
FROM ingest.versions AS v
WHERE
    v.copy_of IS NOT NULL
    AND v.decided_at < %(before)s
    AND (%(place)s::timestamptz IS NULL OR (v.decided_at, v.delivery_id) > (%(place)s::timestamptz, %(id)s::uuid))
ORDER BY v.decided_at, v.delivery_id
LIMIT %(most)s

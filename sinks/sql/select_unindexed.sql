-- Articles that readers see and search does not know, newest first, from before a place on.
SELECT a.first_seen_at, a.article_id
FROM ingest.articles AS a
WHERE
    (a.first_seen_at, a.article_id) < (%(before_time)s::timestamptz, %(before_id)s::uuid)
    AND a.withdrawn IS NULL
    AND NOT EXISTS (SELECT FROM ingest.search AS s WHERE s.article_id = a.article_id)
    AND EXISTS (SELECT FROM ingest.versions AS v WHERE v.article_id = a.article_id AND v.repeats IS NULL)
ORDER BY a.first_seen_at DESC, a.article_id DESC
LIMIT %(limit)s

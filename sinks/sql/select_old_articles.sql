-- A page of articles by when they were first seen, from behind a place; `is_old`: nothing speaks for them at first sight
-- (select_removable.sql looks closer). What was taken back stays as a row: it counts while there is anything else of it.
SELECT
    a.first_seen_at AS place,
    a.article_id AS id,
    a.article_id,
    a.observed_at < %(before)s
    AND a.decided_at < %(before)s
    AND (
        a.withdrawn IS NULL
        OR EXISTS (SELECT FROM ingest.versions AS v WHERE v.article_id = a.article_id)
        OR EXISTS (SELECT FROM ingest.decisions AS d WHERE d.article_id = a.article_id)
    ) AS is_old
FROM ingest.articles AS a
WHERE
    a.first_seen_at < %(before)s
    AND (%(place)s::timestamptz IS NULL OR (a.first_seen_at, a.article_id) > (%(place)s::timestamptz, %(id)s::uuid))
ORDER BY a.first_seen_at, a.article_id
LIMIT %(most)s

-- The other articles that have, in one of their versions, a text of this one.
SELECT DISTINCT article_id
FROM ingest.versions
WHERE copy_of = %(article_id)s AND article_id <> %(article_id)s
ORDER BY article_id

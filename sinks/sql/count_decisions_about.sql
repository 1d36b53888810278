-- How many decisions select_decisions_about would find without its limit.
SELECT count(*)
FROM ingest.decisions AS d
WHERE
    d.delivery_id = %(id)s
    OR d.article_id = %(id)s
    OR d.version_id = %(version_id)s

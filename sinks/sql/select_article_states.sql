-- What is known of these articles, and the last word on whether they are shown; a row with blanks where that came first.
SELECT
    a.article_id, a.source, a.url, a.title, a.withdrawn, a.withdrawn_at, a.withdrawn_reason,
    EXISTS (SELECT FROM ingest.decisions AS d WHERE d.article_id = a.article_id) AS is_delivered
FROM ingest.articles AS a
WHERE a.article_id = any(%(article_ids)s::uuid [])

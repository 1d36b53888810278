-- The shown texts of the newest articles of a source; copies are left out: they would repeat every line of their article.
WITH newest AS MATERIALIZED (
    SELECT a.article_id, a.first_seen_at
    FROM ingest.articles AS a
    WHERE a.source = %(source)s AND (%(since)s::timestamptz IS NULL OR a.first_seen_at >= %(since)s)
    ORDER BY a.first_seen_at DESC, a.article_id DESC
    LIMIT %(limit)s
)

SELECT v.text
FROM newest AS n
JOIN ingest.shown AS s ON s.article_id = n.article_id
JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id
WHERE v.copy_of IS NULL
ORDER BY n.first_seen_at DESC, n.article_id DESC

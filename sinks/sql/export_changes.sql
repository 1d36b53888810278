-- All of news.changes, or those of a time, in order.
SELECT *
FROM news.changes
WHERE
    (%(since)s::timestamptz IS NULL OR changed_at >= %(since)s::timestamptz)
    AND (%(until)s::timestamptz IS NULL OR changed_at < %(until)s::timestamptz)
ORDER BY change

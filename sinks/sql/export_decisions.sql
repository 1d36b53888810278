-- All of news.decisions, or those about the deliveries of a source observed in a time.
SELECT *
FROM news.decisions
WHERE
    (%(source)s::text IS NULL OR source = %(source)s::text)
    AND (%(since)s::timestamptz IS NULL OR observed_at >= %(since)s::timestamptz)
    AND (%(until)s::timestamptz IS NULL OR observed_at < %(until)s::timestamptz)

-- The books by day (UTC): what was decided, how much of it became texts, what was given up.
SELECT
    (hour AT TIME ZONE 'UTC')::date AS day,
    sum(count) FILTER (WHERE what = 'decision')::bigint AS deliveries,
    sum(count) FILTER (WHERE what = 'decision' AND kind IN ('unchanged', 'redelivery'))::bigint AS repeats,
    sum(count) FILTER (WHERE what = 'version' AND kind = 'new')::bigint AS new,
    sum(count) FILTER (WHERE what = 'version' AND kind = 'revision')::bigint AS revisions,
    sum(count) FILTER (WHERE what = 'version' AND kind = 'copy')::bigint AS copies,
    sum(count) FILTER (WHERE what = 'retired')::bigint AS gone_by_age,
    sum(count) FILTER (WHERE what = 'dead-letter')::bigint AS dead_letters
FROM news.balance
GROUP BY day
ORDER BY day DESC;

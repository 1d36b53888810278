-- When a source publishes: articles by the hour of the day. source: a name, or % for all; zone: whose hours.
\if :{?source} \else \set source '%' \endif
\if :{?zone} \else \set zone 'UTC' \endif

SELECT
    extract(HOUR FROM published_at AT TIME ZONE :'zone')::integer AS hour,
    count(*) AS articles,
    count(*) FILTER (WHERE copy_of IS NOT NULL) AS copies,
    repeat('█', (40.0 * count(*) / max(count(*)) OVER ())::integer) AS bar
FROM news.articles
WHERE source LIKE :'source' AND published_at IS NOT NULL
GROUP BY hour
ORDER BY hour;

-- Which source repeats which, how often, and how fast. since: only texts observed from this day on.
\if :{?since} \else \set since '-infinity' \endif

SELECT
    source,
    copied_source,
    count(*) AS copies,
    count(*) FILTER (WHERE method = 'near') AS reworded,
    round((percentile_cont(0.5) WITHIN GROUP (ORDER BY delay_seconds) / 60)::numeric, 1) AS median_minutes,
    round((min(delay_seconds) / 60)::numeric, 1) AS fastest_minutes
FROM news.copies
WHERE observed_at >= (:'since')::timestamptz
GROUP BY source, copied_source
ORDER BY copies DESC, median_minutes, source;

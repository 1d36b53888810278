-- Articles that one source alone has: no copy of another's, and nobody has repeated them.
-- since: first seen from this day on.
\if :{?since} \else \set since '-infinity' \endif

SELECT
    source,
    count(*) AS articles,
    count(*) FILTER (WHERE copy_of IS NULL AND copies = 0) AS exclusives,
    count(*) FILTER (WHERE copies > 0) AS repeated_by_others,
    round(100.0 * count(*) FILTER (WHERE copy_of IS NULL AND copies = 0) / count(*), 1) AS exclusive_percent
FROM news.articles
WHERE first_seen_at >= (:'since')::timestamptz
GROUP BY source
ORDER BY exclusives DESC, source;

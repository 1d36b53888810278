-- Texts that were changed soon after they came: corrections and stories still being written. minutes: how soon.
\if :{?minutes} \else \set minutes 60 \endif

SELECT source, title, came_at, changed_after, title IS DISTINCT FROM title_before AS has_another_title
FROM (
    SELECT
        source,
        title,
        observed_at AS came_at,
        observed_at - lag(observed_at) OVER article AS changed_after,
        lag(title) OVER article AS title_before
    FROM news.article_versions
    WINDOW article AS (PARTITION BY article_id ORDER BY observed_at, decided_at)
) AS version
WHERE changed_after <= make_interval(mins => :minutes)
ORDER BY came_at DESC
LIMIT 100;

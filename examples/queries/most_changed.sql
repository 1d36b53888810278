-- The articles that were changed most, with all their versions in order. most: how many articles.
\if :{?most} \else \set most 10 \endif

WITH changed AS (
    SELECT article_id, versions, source
    FROM news.articles
    WHERE versions > 1
    ORDER BY versions DESC, content_changed_at DESC, article_id
    LIMIT :most
)

SELECT
    c.source,
    row_number() OVER article AS version,
    v.observed_at,
    v.title,
    length(v.text) - lag(length(v.text)) OVER article AS characters_added,
    v.is_current
FROM changed AS c
JOIN news.article_versions AS v ON v.article_id = c.article_id
WINDOW article AS (PARTITION BY v.article_id ORDER BY v.observed_at, v.decided_at)
ORDER BY c.versions DESC, v.article_id, version;

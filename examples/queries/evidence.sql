-- The sentences that speak most clearly for or against somebody, strongest first.
-- name: a name in any form, or a part of one.
\if :{?name} \else \set name 'Hamas' \endif

SELECT
    a.source,
    a.title,
    e.name,
    e.sentiment_label,
    round(s.score::numeric, 2) AS score,
    substr(a.text, s.start + 1, s."end" - s.start) AS sentence
FROM news.article_entities AS e
CROSS JOIN jsonb_to_recordset(e.evidence) AS s (start integer, "end" integer, score double precision)
JOIN news.articles AS a ON a.article_id = e.article_id
WHERE
    e.register_id = ANY(ARRAY(SELECT register_id FROM news.find_names(:'name')))
    AND e.copy_of IS NULL  -- for a copy they point into the text of its original
ORDER BY abs(s.score) DESC, a.article_id, s.start
LIMIT 20;

-- How the news speak of somebody, day by day (UTC), copies not counted again.
-- name: a name in any form, or a part of one.
\if :{?name} \else \set name 'Blinken' \endif

SELECT name, day, articles, mentions, round(sentiment_score::numeric, 2) AS sentiment_score
FROM news.entity_days
WHERE register_id = ANY(ARRAY(SELECT register_id FROM news.find_names(:'name')))
ORDER BY name, register_id, day;

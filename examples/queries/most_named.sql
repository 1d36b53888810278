-- Who is named in most articles of late, copies not counted again. label: PERSON, ORG, GPE, …; days: how far back.
\if :{?label} \else \set label 'PERSON' \endif
\if :{?days} \else \set days 7 \endif

SELECT
    mode() WITHIN GROUP (ORDER BY e.name) AS name,
    count(*) AS articles,
    sum(e.count)::bigint AS mentions,
    round(avg(e.sentiment_score)::numeric, 2) AS sentiment_score
FROM news.articles AS a
JOIN news.article_entities AS e ON e.article_id = a.article_id
WHERE e.label = :'label' AND e.copy_of IS NULL AND a.first_seen_at > now() - make_interval(days => :days)
GROUP BY e.register_id
ORDER BY articles DESC, mentions DESC, name
LIMIT 20;

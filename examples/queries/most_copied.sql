-- The articles that most others repeat, chains followed to where they end: who had the story first, who took it over.
-- most: how many articles.
\if :{?most} \else \set most 20 \endif

SELECT
    a.source,
    a.title,
    count(*) AS copies,
    array_agg(DISTINCT c.source ORDER BY c.source) AS taken_over_by,
    date_trunc('second', max(c.observed_at) - a.first_seen_at) AS until_the_last
FROM news.copies AS c
JOIN news.articles AS a ON a.article_id = c.original
GROUP BY a.article_id, a.source, a.title, a.first_seen_at
ORDER BY copies DESC, a.first_seen_at
LIMIT :most;

-- What happened last, newest first: new articles, revisions, copies, what was taken back. most: how many.
\if :{?most} \else \set most 50 \endif

SELECT c.change, c.changed_at, c.kind, coalesce(v.source, a.source) AS source, coalesce(v.title, a.title) AS title
FROM news.changes AS c
LEFT JOIN news.article_versions AS v ON v.delivery_id = c.delivery_id
LEFT JOIN news.articles AS a ON a.article_id = c.article_id
WHERE c.change > (SELECT last FROM news.change_range) - :most
ORDER BY c.change DESC;

-- Texts that scored as a copy would and are none: which guard kept them apart, and from what.
SELECT
    d.decided_at,
    d.guard,
    round(d.score::numeric, 2) AS score,
    d.source,
    a.title,
    other.source AS resembles,
    other.title AS its_title
FROM news.decisions AS d
JOIN news.articles AS a ON a.article_id = d.article_id
LEFT JOIN news.articles AS other ON other.article_id = d.resembles
WHERE d.guard IS NOT NULL
ORDER BY d.decided_at DESC, d.log_offset DESC
LIMIT 100;

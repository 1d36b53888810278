-- Articles with their number of stored texts, from an id on, of a page of so many texts: read from versions_article alone.
SELECT page.article_id, count(*) AS texts
FROM (
    SELECT v.article_id
    FROM ingest.versions AS v
    WHERE v.article_id >= %(article_id)s
    ORDER BY v.article_id
    LIMIT %(most)s
) AS page
GROUP BY page.article_id
ORDER BY page.article_id

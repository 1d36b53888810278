-- What cleaning cuts most: the lines that are no part of the news, by rule.
SELECT
    r.cut ->> 'rule' AS rule,
    count(*) AS times,
    count(DISTINCT v.source) AS sources,
    mode() WITHIN GROUP (ORDER BY btrim(r.cut ->> 'text', E' \n')) AS most_often
FROM news.article_versions AS v
CROSS JOIN jsonb_array_elements(v.removed) AS r (cut)
GROUP BY rule
ORDER BY times DESC, rule;

-- What could never become an article, by stage and reason, with an example of each.
SELECT
    stage,
    reason,
    count(*) AS records,
    max(failed_at) AS last_at,
    min(coalesce(origin, topic || ' ' || partition || ':' || record_offset)) AS one_of_them,
    min(detail) AS its_detail
FROM news.dead_letters
GROUP BY stage, reason
ORDER BY records DESC, stage, reason;

-- Who and what stands in the same articles as somebody, copies not counted again.
-- name: a name in any form, or a part of one.
\if :{?name} \else \set name 'Blinken' \endif

WITH asked AS MATERIALIZED (
    SELECT array_agg(register_id) AS ids FROM news.find_names(:'name')
)

SELECT
    mode() WITHIN GROUP (ORDER BY other.name) AS name,
    mode() WITHIN GROUP (ORDER BY other.label) AS label,
    count(DISTINCT other.article_id) AS articles,
    sum(other.count)::bigint AS mentions
FROM news.article_entities AS other
WHERE
    other.article_id = ANY(
        ARRAY(
            SELECT this.article_id FROM news.article_entities AS this
            WHERE this.register_id = ANY((SELECT ids FROM asked)::uuid[]) AND this.copy_of IS NULL
        )
    )
    AND other.register_id <> ALL((SELECT ids FROM asked)::uuid[])
GROUP BY other.register_id
ORDER BY articles DESC, mentions DESC, name
LIMIT 20;

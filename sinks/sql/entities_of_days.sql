-- The names in most articles of some days, and how these are spread over the days.
WITH days AS MATERIALIZED (
    SELECT register_id, day, name, label, articles, mentions, sentiment_score
    FROM news.entity_days
    WHERE
        day >= %(first)s::date
        AND (%(last)s::date IS NULL OR day <= %(last)s::date)
        AND (
            %(part)s::text IS NULL
            OR register_id = any(ARRAY(SELECT n.register_id FROM news.find_names(%(part)s::text, 1000) AS n))
        )
        AND (%(label)s::text IS NULL OR label = %(label)s::text)
),

top AS MATERIALIZED (
    SELECT
        register_id,
        (array_agg(name ORDER BY articles DESC, day DESC))[1] AS name,
        (array_agg(label ORDER BY articles DESC, day DESC))[1] AS label,
        sum(articles)::bigint AS articles,
        sum(mentions)::bigint AS mentions,
        -- Of all its articles, not of its days.
        sum(sentiment_score * articles) / sum(articles) FILTER (WHERE sentiment_score IS NOT NULL) AS sentiment_score
    FROM days
    GROUP BY register_id
    ORDER BY sum(articles) DESC, sum(mentions) DESC, register_id
    LIMIT %(most)s
)

SELECT
    CASE WHEN %(by_day)s THEN d.day END AS day,
    t.name,
    t.label,
    CASE WHEN %(by_day)s THEN d.articles ELSE t.articles END AS articles,
    CASE WHEN %(by_day)s THEN d.mentions ELSE t.mentions END AS mentions,
    CASE WHEN %(by_day)s THEN d.sentiment_score ELSE t.sentiment_score END AS sentiment_score,
    t.register_id
FROM top AS t
LEFT JOIN days AS d ON %(by_day)s AND d.register_id = t.register_id
ORDER BY t.articles DESC, t.mentions DESC, t.register_id, d.day

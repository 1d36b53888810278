-- What search knows of these articles, made to fit what readers see of them: missing rows and old ones are written,
-- those of articles that are shown no more go. Copies of these articles too: they show the names and the sentiment of
-- theirs.
WITH wanted AS MATERIALIZED (
    SELECT unnest(%(article_ids)s::uuid []) AS article_id
    UNION
    SELECT v.article_id
    FROM ingest.versions AS o
    JOIN ingest.versions AS v ON v.entities_of = o.delivery_id
    WHERE o.article_id = any(%(article_ids)s::uuid [])
),

shown AS MATERIALIZED (
    SELECT
        a.article_id, a.first_seen_at, a.source, a.byline, v.text, v.delivery_id, v.entities_of, e.sentiment_label,
        e.generation,
        CASE WHEN s.is_current THEN a.title ELSE v.title END AS title,
        coalesce(e.language, v.declared_language) AS language,
        hashtextextended(
            concat_ws(
                E'\n', v.delivery_id, e.delivery_id, e.generation, extract(EPOCH FROM e.enriched_at),
                extract(EPOCH FROM a.first_seen_at), a.source, v.declared_language,
                CASE WHEN s.is_current THEN a.title ELSE v.title END, a.byline
            ),
            0
        ) AS inputs
    FROM wanted AS w
    JOIN ingest.articles AS a ON a.article_id = w.article_id
    JOIN ingest.shown AS s ON s.article_id = a.article_id
    JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id
    LEFT JOIN ingest.versions AS e ON e.delivery_id = v.entities_of
),

gone AS (
    DELETE FROM ingest.search AS g
    USING wanted AS w
    WHERE g.article_id = w.article_id AND NOT EXISTS (SELECT FROM shown AS s WHERE s.article_id = g.article_id)
),

changed AS (
    SELECT s.*, l.configuration
    FROM shown AS s
    CROSS JOIN LATERAL (
        SELECT configuration
        FROM ingest.search_languages AS l
        WHERE l.language IN (lower(split_part(s.language, '-', 1)), '')
        ORDER BY l.language DESC
        LIMIT 1
    ) AS l
    WHERE NOT EXISTS (
        SELECT FROM ingest.search AS known WHERE known.article_id = s.article_id AND known.inputs = s.inputs
    )
),

used AS (
    UPDATE ingest.search_languages AS l SET is_used = true
    WHERE NOT l.is_used AND l.configuration IN (SELECT c.configuration FROM changed AS c)
)

INSERT INTO ingest.search AS k (
    article_id, inputs, first_seen_at, source, language, sentiment_label, configuration, title, terms, vector
)
SELECT
    c.article_id, c.inputs, c.first_seen_at, c.source, c.language, c.sentiment_label, c.configuration,
    left(c.title, 1000),
    ingest.time_terms(c.first_seen_at)
    || ARRAY['s:' || c.source]
    || CASE WHEN c.language IS NOT NULL THEN ARRAY['l:' || lower(left(c.language, 100))] ELSE '{}' END
    || CASE
        WHEN strpos(c.language, '-') > 0 THEN ARRAY['l:' || lower(left(split_part(c.language, '-', 1), 100))]
        ELSE '{}'
    END
    || CASE WHEN c.sentiment_label IS NOT NULL THEN ARRAY['p:' || c.sentiment_label] ELSE '{}' END
    || ARRAY(
        SELECT DISTINCT ingest.name_term(e.register_id)
        FROM ingest.entities AS e
        WHERE e.delivery_id = c.entities_of
    ),
    ingest.search_vector(c.configuration::regconfig, c.title, c.byline, c.text)
FROM changed AS c
ORDER BY c.article_id
ON CONFLICT (article_id) DO UPDATE SET
    inputs = excluded.inputs,
    first_seen_at = excluded.first_seen_at,
    source = excluded.source,
    language = excluded.language,
    sentiment_label = excluded.sentiment_label,
    configuration = excluded.configuration,
    title = excluded.title,
    terms = excluded.terms,
    vector = excluded.vector

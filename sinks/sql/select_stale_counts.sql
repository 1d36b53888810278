-- How many stored texts there are by configuration, language and reason, and how many of them are stale: the condition
-- is that of select_stale.sql.
SELECT
    v.models ->> 'config' AS config,
    v.language,
    v.enrich_reason AS reason,
    count(*) AS texts,
    count(*) FILTER (
        WHERE CASE
            WHEN %(reason)s::text IS NOT NULL THEN v.enrich_reason = %(reason)s
            ELSE
                v.models ->> 'config'
            IS DISTINCT FROM coalesce(%(configs)s::jsonb ->> coalesce(v.language, ''), %(others)s)
        END
    ) AS stale
FROM ingest.versions AS v
WHERE
    v.generation IS NOT NULL
    AND (%(language)s::text IS NULL OR v.language = %(language)s)
    AND (%(source)s::text IS NULL OR v.source = %(source)s)
    AND (%(since)s::timestamptz IS NULL OR v.observed_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR v.observed_at < %(until)s)
    AND EXISTS (
        SELECT FROM ingest.decisions AS d
        WHERE d.delivery_id = v.delivery_id AND d.log_id = v.log_id AND d.log_offset = v.log_offset
    )
GROUP BY 1, 2, 3
ORDER BY stale DESC, texts DESC, 1, 2, 3

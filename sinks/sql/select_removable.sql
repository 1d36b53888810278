-- Of these articles those that may go: nothing came of them since `before` (a redelivery counts: the log knows them), no text
-- of another article that stays has their names, and no text of theirs is still on its way. `only_copies`: those whose shown
-- text is another article's, and to whose texts nothing else refers at all.
SELECT a.article_id, a.withdrawn IS NOT NULL AS is_withdrawn
FROM ingest.articles AS a
WHERE
    a.article_id = any(%(article_ids)s::uuid [])
    AND a.observed_at < %(before)s
    AND a.decided_at < %(before)s
    AND NOT EXISTS (
        SELECT FROM ingest.decisions AS d WHERE d.article_id = a.article_id AND d.decided_at >= %(before)s
    )
    AND NOT EXISTS (
        SELECT
        FROM ingest.versions AS own
        JOIN ingest.versions AS other ON other.entities_of = own.delivery_id AND other.article_id <> own.article_id
        JOIN ingest.articles AS o ON o.article_id = other.article_id
        WHERE
            own.article_id = a.article_id
            AND (
                %(only_copies)s
                OR o.observed_at >= %(before)s
                OR o.decided_at >= %(before)s
                OR EXISTS (
                    SELECT FROM ingest.decisions AS d
                    WHERE d.article_id = o.article_id AND d.decided_at >= %(before)s
                )
            )
    )
    AND (
        a.withdrawn IS NOT DISTINCT FROM 'erased'
        OR NOT EXISTS (
            SELECT
            FROM ingest.decisions AS d
            WHERE
                d.article_id = a.article_id
                AND coalesce(d.log_kind, d.kind) IN ('new', 'revision')
                AND d.retired IS DISTINCT FROM 'text'
                AND NOT EXISTS (
                    SELECT FROM ingest.versions AS v WHERE v.delivery_id = d.delivery_id AND v.generation IS NOT NULL
                )
                -- One that can never be stored is on its way no more.
                AND NOT EXISTS (
                    SELECT FROM ingest.dead_letters AS l WHERE l.key = convert_to(a.article_id::text, 'UTF8')
                )
        )
    )
    AND (
        NOT %(only_copies)s
        OR EXISTS (
            SELECT
            FROM ingest.shown AS s
            JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id AND v.article_id = s.article_id
            WHERE s.article_id = a.article_id AND v.copy_of IS NOT NULL
        )
    )

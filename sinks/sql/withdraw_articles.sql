-- The last word on each article, whichever comes first; erased is for good, and leaves a row with blanks: it keeps out
-- what comes later. Gives what it was and is now.
UPDATE ingest.articles AS a
SET
    withdrawn = CASE WHEN n.kind <> 'restored' THEN n.kind END,
    withdrawn_at = n.at,
    withdrawn_reason = n.reason
FROM unnest(%(article_ids)s::uuid [], %(kinds)s::text [], %(reasons)s::text [], %(at)s::timestamptz [])
    AS n (article_id, kind, reason, at)
WHERE
    a.article_id = n.article_id
    AND (n.kind = 'erased', n.at, n.kind = 'withdrawn', n.reason COLLATE "C") > (
        coalesce(a.withdrawn = 'erased', false),
        coalesce(a.withdrawn_at, '-infinity'),
        coalesce(a.withdrawn = 'withdrawn', false),
        coalesce(a.withdrawn_reason, '') COLLATE "C"
    )
RETURNING a.article_id, old.withdrawn AS was, new.withdrawn AS now

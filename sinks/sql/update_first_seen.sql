-- What is not the newest may still be the earliest. An erased row stays as it is. Gives what was.
UPDATE ingest.articles AS a
SET first_seen_at = n.first_seen_at
FROM unnest(%(article_ids)s::uuid [], %(first_seen_at)s::timestamptz []) AS n (article_id, first_seen_at)
WHERE a.article_id = n.article_id AND a.first_seen_at > n.first_seen_at AND a.withdrawn IS DISTINCT FROM 'erased'
RETURNING a.article_id

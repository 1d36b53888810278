-- Rows for all that this batch says something of, with blanks where nothing is known: in the order of their ids, as
-- upsert_articles takes them, so that two sinks do not wait for each other.
INSERT INTO ingest.articles AS a (
    article_id, current_delivery, observed_at, log_id, log_offset, decided_at, first_seen_at, source, title, notes
)
SELECT
    article_id, '00000000-0000-0000-0000-000000000000', '0001-01-02 00:00:00+00',
    '00000000-0000-0000-0000-000000000000', 0, '0001-01-02 00:00:00+00', '0001-01-02 00:00:00+00', '', '', '{}'
FROM unnest(%(article_ids)s::uuid []) AS n (article_id)
ORDER BY article_id
ON CONFLICT (article_id) DO UPDATE SET title = a.title WHERE false

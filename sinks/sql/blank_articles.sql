-- What remains of an erased article: that it was erased. All that it said goes.
UPDATE ingest.articles
SET
    current_delivery = '00000000-0000-0000-0000-000000000000',
    current_repeats = NULL,
    observed_at = '0001-01-02 00:00:00+00',
    log_id = '00000000-0000-0000-0000-000000000000',
    log_offset = 0,
    decided_at = '0001-01-02 00:00:00+00',
    first_seen_at = '0001-01-02 00:00:00+00',
    source = '',
    source_item_id = NULL,
    url = NULL,
    title = '',
    byline = NULL,
    language = NULL,
    published_at = NULL,
    updated_at = NULL,
    notes = '{}',
    details = NULL
WHERE article_id = any(%(article_ids)s::uuid [])

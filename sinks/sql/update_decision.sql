-- The database's last word; what the log said is kept in log_kind.
UPDATE ingest.decisions
SET
    kind = %(kind)s,
    method = 'store',
    of_article = article_id,
    of_version = %(of_version)s,
    of_delivery = %(of_delivery)s,
    same_text_as = %(same_text_as)s,
    log_kind = %(log_kind)s
WHERE raw_topic_id = %(raw_topic_id)s AND raw_partition = %(raw_partition)s AND raw_offset = %(raw_offset)s

-- Dead letters of records with this key (an article) or with this delivery in the beginning of their bytes.
SELECT id, stage, reason, detail, origin, topic, partition, record_offset
FROM ingest.dead_letters
WHERE
    id = %(id)s
    OR key = convert_to(%(id)s::text, 'UTF8')
    OR position(convert_to(%(id)s::text, 'UTF8') IN substring(value FROM 1 FOR %(beginning)s)) > 0
ORDER BY failed_at DESC, id
LIMIT 100

-- Deliveries that are new or a revision, and have their version.
SELECT count(*) AS count
FROM ingest.decisions AS d
WHERE
    d.kind IN ('new', 'revision')
    AND (%(raw_topic_id)s::uuid IS NULL OR d.raw_topic_id = %(raw_topic_id)s::uuid)
    AND EXISTS (SELECT FROM ingest.versions AS v WHERE v.delivery_id = d.delivery_id)

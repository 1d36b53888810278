-- The row of a text stays whoever has the last word on it: it was enriched, and copies may have its names.
-- `told` notes that readers were told of it before it was hidden. Gives whether it is shown again.
UPDATE ingest.versions AS v
SET
    kind = %(kind)s,
    repeats = %(repeats)s,
    told = v.told OR (
        v.repeats IS NULL
        AND NOT %(is_fresh)s
        AND EXISTS (
            SELECT FROM ingest.decisions AS d
            WHERE d.delivery_id = v.delivery_id AND d.log_id = v.log_id AND d.log_offset = v.log_offset
        )
    )
WHERE v.delivery_id = %(delivery_id)s
RETURNING v.article_id, old.repeats IS NOT NULL AND new.repeats IS NULL AS is_shown_again

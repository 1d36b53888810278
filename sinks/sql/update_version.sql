-- The row of a text stays whoever has the last word on it: it was enriched, and copies may have its names.
UPDATE ingest.versions
SET kind = %(kind)s, repeats = %(repeats)s
WHERE delivery_id = %(delivery_id)s

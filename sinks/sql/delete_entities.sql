-- The names of an enrichment go as a whole, their mentions with them.
DELETE FROM ingest.entities WHERE delivery_id = any(%(delivery_ids)s)

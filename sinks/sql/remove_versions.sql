-- Stored texts, whose names are gone by now.
DELETE FROM ingest.versions WHERE delivery_id = any(%(delivery_ids)s::uuid [])

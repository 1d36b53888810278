-- Said by itself, and first: a cascade would ask for them name by name.
DELETE FROM ingest.mentions WHERE delivery_id = any(%(delivery_ids)s::uuid [])

-- When a change was stored; nothing where it is not kept.
SELECT changed_at FROM ingest.changes WHERE change = %(change)s

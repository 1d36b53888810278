-- The rows; then keep_changes.sql says so in the same transaction.
DELETE FROM ingest.changes WHERE change >= %(oldest)s AND change < %(keep)s

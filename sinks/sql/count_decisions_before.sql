-- Decisions that a signature log led to by records that it no longer holds.
SELECT count(*)
FROM ingest.decisions
WHERE log_id = %(log_id)s AND log_offset < %(start)s

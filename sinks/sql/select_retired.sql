-- Of one signature log: decisions that went with their articles, and the greatest place that any of them had.
SELECT coalesce(sum(deliveries), 0)::bigint AS decisions, max(newest) AS newest
FROM ingest.retired
WHERE log_id = %(log_id)s

-- What waits, and the greatest number ever given out.
SELECT records, bytes, COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'records'), 0) FROM held WHERE id = 1;

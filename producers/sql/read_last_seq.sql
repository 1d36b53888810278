-- The number that was given out last.
SELECT seq FROM sqlite_sequence WHERE name = 'records';

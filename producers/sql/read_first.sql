-- The oldest record that waits.
SELECT MIN(seq) FROM records;

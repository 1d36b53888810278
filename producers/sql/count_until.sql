-- How many records up to a number wait.
SELECT COUNT(*) FROM records WHERE seq <= :seq;

-- How many pages wait.
SELECT COUNT(*) FROM pages;

-- The hosts that have pages to fetch.
SELECT DISTINCT host FROM pages;

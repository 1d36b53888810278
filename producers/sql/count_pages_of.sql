-- How many pages of a source wait; no more than :most are counted.
SELECT COUNT(*) FROM (SELECT 1 FROM pages WHERE source = :source LIMIT :most);

-- All of news.entities.
SELECT * FROM news.entities

-- What an article is called, as its newest delivery has it.
SELECT article_id, source, url, title
FROM ingest.articles
WHERE article_id = %(article_id)s

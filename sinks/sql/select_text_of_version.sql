-- One stored text.
SELECT title, text FROM news.article_versions WHERE delivery_id = %(delivery_id)s

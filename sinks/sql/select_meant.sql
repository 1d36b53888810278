-- The article that an id is of, or that a delivery brought a text of; those taken back too.
SELECT article_id FROM news.articles WHERE article_id = %(id)s
UNION ALL
SELECT article_id FROM news.article_versions WHERE delivery_id = %(id)s
UNION ALL
SELECT article_id FROM news.withdrawals WHERE article_id = %(id)s
LIMIT 1

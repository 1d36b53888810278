-- All of one article as readers see it.
SELECT * FROM news.articles WHERE article_id = %(article_id)s

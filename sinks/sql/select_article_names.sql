-- The names in an article as readers see it, the weightiest first.
SELECT name, label, count, salience, aliases, entity_id, sentiment_label, sentiment_score
FROM news.article_entities
WHERE article_id = %(article_id)s
ORDER BY salience DESC, count DESC, name, label

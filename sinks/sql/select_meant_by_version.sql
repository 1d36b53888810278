-- The article that a version is of; this reads all versions.
SELECT article_id FROM news.article_versions WHERE version_id = %(id)s LIMIT 1

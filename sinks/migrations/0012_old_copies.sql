-- no transaction
-- The copies by age, for retention. A large table: its index is made beside those who write.
CREATE INDEX CONCURRENTLY IF NOT EXISTS versions_copies ON ingest.versions (decided_at, delivery_id) WHERE copy_of IS NOT NULL;

-- What was taken back (news.withdrawals), and the dead letters of an article that is erased. A key may be longer than a
-- B-tree takes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS articles_withdrawn ON ingest.articles (article_id) WHERE withdrawn IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS dead_letters_key ON ingest.dead_letters USING hash (key);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dead_letters_place
ON ingest.dead_letters (topic_id, partition, record_offset);
-- Of the address as news.articles has it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS articles_shown_url ON ingest.articles USING hash ((CASE WHEN withdrawn IS NULL THEN url END));

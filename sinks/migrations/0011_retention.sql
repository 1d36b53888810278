-- What retention (sinks/retention.py) remembers of what it removed, and how the tables are kept at 500,000 articles a day.

-- Null for nearly all. Not VALID: all rows that are there have null, and looking at each would lock the table for as long.
ALTER TABLE ingest.decisions
    ADD COLUMN retired text,
    ADD CONSTRAINT decisions_retired CHECK (retired IN ('text', 'word')) NOT VALID;
COMMENT ON COLUMN ingest.decisions.retired IS
    'text: retention removed the text that this delivery brought; word: it removed the text that this delivery repeats, so '
    'what the database said of it stands; null: neither';

CREATE TABLE ingest.retired (
    raw_topic_id uuid   NOT NULL,
    log_id       uuid   NOT NULL,
    kind         text   NOT NULL,
    deliveries   bigint NOT NULL,
    texts        bigint NOT NULL,
    stored       bigint NOT NULL,
    newest       bigint NOT NULL,
    PRIMARY KEY (raw_topic_id, log_id, kind)
) WITH (fillfactor = 20);
COMMENT ON TABLE ingest.retired IS
    'How many decisions went with their articles, so that the books still balance: a few rows, added to by retire_decisions.sql';
COMMENT ON COLUMN ingest.retired.kind IS 'What the decisions were when they went';
COMMENT ON COLUMN ingest.retired.texts IS 'How many of them the log had let through to be enriched';
COMMENT ON COLUMN ingest.retired.stored IS 'How many of these texts were stored';
COMMENT ON COLUMN ingest.retired.newest IS 'The greatest place in the log (log_offset) that a decision of this row had';

CREATE TABLE ingest.retention (
    is_only     boolean     PRIMARY KEY DEFAULT true CHECK (is_only),
    holder      text,
    held_until  timestamptz,
    started_at  timestamptz,
    finished_at timestamptz
) WITH (fillfactor = 20);
COMMENT ON TABLE ingest.retention IS
    'One row: who removes old rows at the moment, and until when that holds unless it is said again. A lease and no advisory '
    'lock, which anybody who may connect could take and keep';
COMMENT ON COLUMN ingest.retention.finished_at IS 'When all rules were last gone through';
INSERT INTO ingest.retention DEFAULT VALUES;

-- What retention removed of articles that are still there is said beside what is stored.
CREATE OR REPLACE VIEW news.balance AS
SELECT 'decision' AS what, source, kind, date_trunc('hour', decided_at, 'UTC') AS hour, count(*) AS count
FROM ingest.decisions GROUP BY source, kind, hour
UNION ALL
SELECT 'version', source, kind, date_trunc('hour', decided_at, 'UTC') AS hour, count(*)
FROM ingest.versions WHERE repeats IS NULL GROUP BY source, kind, hour
UNION ALL
SELECT 'retired', source, kind, date_trunc('hour', decided_at, 'UTC') AS hour, count(*)
FROM ingest.decisions WHERE retired = 'text' AND kind IN ('new', 'copy', 'revision') GROUP BY source, kind, hour
UNION ALL
SELECT 'dead-letter', stage, reason, date_trunc('hour', failed_at, 'UTC') AS hour, count(*)
FROM ingest.dead_letters GROUP BY stage, reason, hour;

-- Vacuum. At 500,000 articles a day (15 names, 40 mentions each) a day inserts 0.5 to 1 million decisions, 0.5 million
-- articles and rows of search, 0.6 million versions and changes, 7.5 million entities and 20 million mentions; with retention
-- as many rows die a day. PostgreSQL's own settings wait until a fifth of a table is dead or new: at 30 days of mentions
-- 120 million rows, six days. Here:
-- - dead rows: a fiftieth of the table and at most half a day of them (max_threshold): room is used again within a day, and
--   the indexes, which each such vacuum reads as a whole, are read twice a day;
-- - new rows: a fixed number, about an hour of them (insert_threshold, no scale): cheap, it reads only the new pages. It keeps
--   the visibility map, without which the walk of retention through versions_article would read the table too;
-- - statistics: at a fiftieth, so that the newest days are in them.
ALTER TABLE ingest.mentions SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_max_threshold = 10000000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000000,
    autovacuum_analyze_scale_factor = 0.05
);
ALTER TABLE ingest.entities SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_max_threshold = 4000000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 400000,
    autovacuum_analyze_scale_factor = 0.05
);
ALTER TABLE ingest.versions SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_max_threshold = 300000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 30000,
    autovacuum_analyze_scale_factor = 0.02
);
-- The one large table whose rows are updated as a matter of course (a revision, new metadata): with a tenth of each page left
-- free the new row stays on its page, and no index learns of it (of updates to 7 % of the rows: 100 %; with full pages 42 %).
ALTER TABLE ingest.articles SET (
    fillfactor = 90,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_max_threshold = 300000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 30000,
    autovacuum_analyze_scale_factor = 0.02
);
ALTER TABLE ingest.search SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_max_threshold = 300000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 30000,
    autovacuum_analyze_scale_factor = 0.02
);
ALTER TABLE ingest.decisions SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_max_threshold = 500000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_analyze_scale_factor = 0.02
);
ALTER TABLE ingest.changes SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_max_threshold = 500000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_analyze_scale_factor = 0.02
);
-- A row a partition, updated with every batch: with room on its page the row before is cleared away in passing.
ALTER TABLE ingest.positions SET (fillfactor = 20);

-- What near copies need said, and the database's last word on articles that the signature log no longer knows.

ALTER TABLE ingest.decisions
    ADD COLUMN contains  uuid,
    ADD COLUMN resembles uuid,
    ADD COLUMN guard     text,
    ADD COLUMN log_kind  text CHECK (log_kind IN ('new', 'copy'));
COMMENT ON COLUMN ingest.decisions.log_kind IS
    'What the log alone said, where the database knew more: kind, method, of_* and same_text_as are then the database''s';

-- The log's own redeliveries say nothing about the others, and a feed that is polled often has thousands of them.
DROP INDEX ingest.decisions_article;
CREATE INDEX decisions_article ON ingest.decisions (article_id, (coalesce(log_kind, kind)));

ALTER TABLE ingest.versions ADD COLUMN repeats uuid;
COMMENT ON COLUMN ingest.versions.repeats IS
    'Whose text this is again, by the database''s last word: readers see that one instead; null for what they see';

ALTER TABLE ingest.articles ADD COLUMN current_repeats uuid;
COMMENT ON COLUMN ingest.articles.current_repeats IS
    'Whose text current_delivery has again, by the database''s last word; null where it is its own';

CREATE OR REPLACE VIEW ingest.shown AS
SELECT
    a.article_id,
    v.delivery_id,
    v.delivery_id = coalesce(a.current_repeats, a.current_delivery) AS is_current
FROM ingest.articles AS a
CROSS JOIN LATERAL (
    SELECT delivery_id
    FROM ingest.versions
    WHERE versions.article_id = a.article_id AND versions.repeats IS NULL
    ORDER BY
        delivery_id = coalesce(a.current_repeats, a.current_delivery) DESC,
        observed_at DESC,
        decided_at DESC,
        log_offset DESC
    LIMIT 1
) AS v;

CREATE OR REPLACE VIEW news.articles AS
SELECT
    a.article_id,
    v.version_id,
    a.source,
    a.url,
    CASE WHEN s.is_current THEN a.title ELSE v.title END AS title,
    a.byline,
    v.text,
    coalesce(v.raw, v.text) AS raw,
    coalesce(e.language, v.declared_language) AS language,
    a.published_at,
    a.updated_at,
    a.first_seen_at,
    a.observed_at AS last_seen_at,
    v.observed_at AS content_changed_at,
    e.sentiment_label,
    e.sentiment_score,
    v.copy_of,
    (
        SELECT count(*) FROM ingest.versions AS each WHERE each.article_id = a.article_id AND each.repeats IS NULL
    ) AS versions
FROM ingest.articles AS a
JOIN ingest.shown AS s ON s.article_id = a.article_id
JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id
LEFT JOIN ingest.versions AS e ON e.delivery_id = v.entities_of;

COMMENT ON COLUMN news.articles.last_seen_at IS
    'When it was last observed (deliveries of the very same version again do not count within the log''s window)';

CREATE OR REPLACE VIEW news.article_versions AS
SELECT
    v.delivery_id,
    v.article_id,
    v.version_id,
    v.kind,
    EXISTS (
        SELECT FROM ingest.shown AS s WHERE s.article_id = v.article_id AND s.delivery_id = v.delivery_id
    ) AS is_current,
    v.source,
    v.source_item_id,
    v.url,
    v.title,
    v.byline,
    v.text,
    coalesce(v.raw, v.text) AS raw,
    v.removed,
    v.content_hash,
    coalesce(e.language, v.declared_language) AS language,
    v.published_at,
    v.updated_at,
    v.observed_at,
    v.decided_at,
    e.sentiment_label,
    e.sentiment_score,
    v.copy_of,
    v.generation,
    v.models,
    v.enrich_reason,
    v.enriched_at,
    v.targets,
    v.notes
FROM ingest.versions AS v
LEFT JOIN ingest.versions AS e ON e.delivery_id = v.entities_of
WHERE v.repeats IS NULL;

CREATE OR REPLACE VIEW news.decisions AS
SELECT
    delivery_id, article_id, version_id, kind, method, of_article, of_version, of_delivery, same_text_as, score,
    threshold, rules_version, log_id, log_offset, decided_at, observed_at, source, raw_topic_id, raw_partition,
    raw_offset, contains, resembles, guard, log_kind
FROM ingest.decisions;

COMMENT ON COLUMN news.decisions.method IS
    'How it was recognised: url, item (own id), text, exact, near; store: by the database, beyond the log''s window';
COMMENT ON COLUMN news.decisions.same_text_as IS
    'revision, and all that the log alone took for a copy: another article that has this text';
COMMENT ON COLUMN news.decisions.contains IS 'new: an earlier article whose text is the smaller part of this one';
COMMENT ON COLUMN news.decisions.resembles IS
    'new: an article that scores as a copy would; guard says what kept them apart';
COMMENT ON COLUMN news.decisions.guard IS
    'template: other numbers or names; boilerplate: only what many texts share';
COMMENT ON COLUMN news.decisions.log_kind IS
    'What the signature log alone said, where the database knew the article from before the log''s window (method store)';

COMMENT ON COLUMN news.copies.method IS
    'exact or near: how the text was found equal; url, item, text, store: how the article was recognised';

-- Both sides by the kinds that readers see: a text that is stored twice is one version, and its decision no new one.
CREATE OR REPLACE VIEW news.balance AS
SELECT 'decision' AS what, source, kind, date_trunc('hour', decided_at, 'UTC') AS hour, count(*) AS count
FROM ingest.decisions GROUP BY source, kind, hour
UNION ALL
SELECT 'version', source, kind, date_trunc('hour', decided_at, 'UTC') AS hour, count(*)
FROM ingest.versions WHERE repeats IS NULL GROUP BY source, kind, hour
UNION ALL
SELECT 'dead-letter', stage, reason, date_trunc('hour', failed_at, 'UTC') AS hour, count(*)
FROM ingest.dead_letters GROUP BY stage, reason, hour;

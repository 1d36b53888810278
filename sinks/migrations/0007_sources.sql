-- How polled sources are, and what a delivery says of its article beyond what every article has.

-- Adding columns without a default takes no time, but waits for whoever reads the table, and all others wait behind it:
-- rather fail, with nothing done.
SET LOCAL lock_timeout = '10s';

CREATE TABLE ingest.sources (
    name                 text             PRIMARY KEY,
    kind                 text             NOT NULL,
    url                  text             NOT NULL,
    declared_url         text             NOT NULL,
    state                text             NOT NULL,
    reason               text,
    why                  text,
    changed_at           timestamptz      NOT NULL,
    polled_at            timestamptz,
    succeeded_at         timestamptz,
    next_poll_at         timestamptz,
    interval_seconds     double precision,
    failures             bigint           NOT NULL,
    entries              bigint           NOT NULL,
    new_entries          bigint           NOT NULL,
    known_share          double precision,
    newest_entry_at      timestamptz,
    expected_gap_seconds double precision,
    alarm                text,
    alarm_since          timestamptz
);
COMMENT ON TABLE ingest.sources IS 'One row a name on articles.sources: the record that was changed last';

ALTER TABLE ingest.articles ADD COLUMN details jsonb;
COMMENT ON COLUMN ingest.articles.details IS
    'What the newest delivery says beyond the other columns (pipeline/records.py, Details); null: nothing, or never asked';

ALTER TABLE ingest.versions ADD COLUMN details jsonb;
COMMENT ON COLUMN ingest.versions.details IS 'As in ingest.articles, of the delivery that brought this text';

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
    ) AS versions,
    ARRAY(SELECT jsonb_array_elements_text(a.details -> 'categories')) AS categories,
    coalesce(a.details -> 'enclosures', '[]') AS enclosures,
    a.details ->> 'published_at_from' AS published_at_from,
    -- Of the text, so of the delivery that brought it.
    v.details ->> 'extractor' AS extractor,
    ARRAY(SELECT jsonb_array_elements_text(v.details -> 'flags')) AS flags
FROM ingest.articles AS a
JOIN ingest.shown AS s ON s.article_id = a.article_id
JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id
LEFT JOIN ingest.versions AS e ON e.delivery_id = v.entities_of;

COMMENT ON COLUMN news.articles.categories IS 'Categories and tags as the source gives them, in its order; empty: none';
COMMENT ON COLUMN news.articles.enclosures IS
    'Pictures, sounds and films that the source hangs on it: [{url, type: media type, length: bytes as the source says}]';
COMMENT ON COLUMN news.articles.published_at_from IS
    'Where published_at was found: source (feed, file, API), page (its markup), url, archive; null: not said';
COMMENT ON COLUMN news.articles.extractor IS
    'What made text of a web page, with its version; null where the source delivered the text itself';
COMMENT ON COLUMN news.articles.flags IS
    'What the page is instead of a whole article: paywall, consent-wall (cookies), live-shell (points to a live page); '
    'empty: an article, as far as that could be seen';

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
    v.notes,
    ARRAY(SELECT jsonb_array_elements_text(v.details -> 'categories')) AS categories,
    coalesce(v.details -> 'enclosures', '[]') AS enclosures,
    v.details ->> 'published_at_from' AS published_at_from,
    v.details ->> 'extractor' AS extractor,
    ARRAY(SELECT jsonb_array_elements_text(v.details -> 'flags')) AS flags
FROM ingest.versions AS v
LEFT JOIN ingest.versions AS e ON e.delivery_id = v.entities_of
WHERE v.repeats IS NULL;

COMMENT ON COLUMN news.article_versions.categories IS 'Categories and tags as the source gives them; empty: none';
COMMENT ON COLUMN news.article_versions.enclosures IS
    'Pictures, sounds and films that the source hangs on it: [{url, type, length in bytes}]';
COMMENT ON COLUMN news.article_versions.published_at_from IS
    'Where published_at was found: source, page, url, archive; null: not said';
COMMENT ON COLUMN news.article_versions.extractor IS 'What made text of a web page, with its version';
COMMENT ON COLUMN news.article_versions.flags IS 'paywall, consent-wall, live-shell; empty: an article';

CREATE OR REPLACE VIEW news.sources AS
SELECT
    coalesce(d.source, p.name) AS source,
    coalesce(d.deliveries, 0) AS deliveries,
    coalesce(d.articles, 0) AS articles,
    coalesce(d.copies, 0) AS copies,
    d.first_seen_at,
    d.last_seen_at,
    p.state,
    p.kind,
    p.url,
    p.declared_url,
    p.polled_at,
    p.succeeded_at,
    p.next_poll_at,
    p.interval_seconds,
    p.failures,
    p.why,
    p.reason,
    p.entries,
    p.new_entries,
    p.known_share,
    p.newest_entry_at,
    p.expected_gap_seconds,
    p.alarm,
    p.alarm_since,
    p.changed_at
FROM (
    SELECT
        source,
        count(*) AS deliveries,
        count(DISTINCT article_id) AS articles,
        count(*) FILTER (WHERE kind = 'copy') AS copies,
        min(observed_at) AS first_seen_at,
        max(observed_at) AS last_seen_at
    FROM ingest.decisions
    GROUP BY source
) AS d
FULL JOIN ingest.sources AS p ON p.name = d.source;

COMMENT ON VIEW news.sources IS
    'Who delivered what, and how it is polled; what is not polled (files, HTTP, archives) has null from state on';
COMMENT ON COLUMN news.sources.first_seen_at IS 'Its first delivery; null: none yet';
COMMENT ON COLUMN news.sources.last_seen_at IS 'Its last delivery, redeliveries too; null: none yet';
COMMENT ON COLUMN news.sources.state IS
    'ok, failing (its last poll failed), disabled (by a person), gone (for good, or declared no longer)';
COMMENT ON COLUMN news.sources.kind IS 'feed or sitemap';
COMMENT ON COLUMN news.sources.url IS 'Where it is asked now: a permanent redirect changes it';
COMMENT ON COLUMN news.sources.declared_url IS 'Its address in feeds.toml';
COMMENT ON COLUMN news.sources.polled_at IS 'The last poll, whatever came of it';
COMMENT ON COLUMN news.sources.succeeded_at IS 'The last poll that was answered (with entries, or that nothing has changed)';
COMMENT ON COLUMN news.sources.next_poll_at IS 'When it is asked again';
COMMENT ON COLUMN news.sources.interval_seconds IS 'Seconds between two polls as it is now; it follows how much is new';
COMMENT ON COLUMN news.sources.failures IS 'Polls that failed one after the other, up to now';
COMMENT ON COLUMN news.sources.why IS 'Of the last failure: one of a closed set (timeout, not-found, robots, …)';
COMMENT ON COLUMN news.sources.reason IS 'Of the last failure, in words; an answer that can be read clears it';
COMMENT ON COLUMN news.sources.entries IS 'Entries in its last answer';
COMMENT ON COLUMN news.sources.new_entries IS 'Entries of its last answer that were never seen before';
COMMENT ON COLUMN news.sources.known_share IS 'Share of the entries of its last answer that were known before, 0 to 1';
COMMENT ON COLUMN news.sources.newest_entry_at IS 'Date of its newest entry, as the source says';
COMMENT ON COLUMN news.sources.expected_gap_seconds IS
    'The longest silence in seconds that is usual for it, as learnt; null while too little is known';
COMMENT ON COLUMN news.sources.alarm IS
    'quiet: nothing new for longer than usual; empty: no entries where there used to be some; all-known: its dates move '
    'on, but nothing in it is new; null: none';
COMMENT ON COLUMN news.sources.alarm_since IS 'Since when it has been so: the last new entry, the first empty answer';
COMMENT ON COLUMN news.sources.changed_at IS 'When this was last said';

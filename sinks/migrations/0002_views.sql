-- Schema news: what outsiders may rely on. Changing or removing a column here is a breaking change.

CREATE SCHEMA news;
COMMENT ON SCHEMA news IS 'The contract for readers: views only. Schema ingest is private and may change.';

-- Which stored text stands for an article: its current one; until that has been enriched, the newest that is stored.
CREATE VIEW ingest.shown AS
SELECT
    a.article_id,
    v.delivery_id,
    v.delivery_id = a.current_delivery AS is_current
FROM ingest.articles AS a
CROSS JOIN LATERAL (
    SELECT delivery_id
    FROM ingest.versions
    WHERE versions.article_id = a.article_id
    ORDER BY delivery_id = a.current_delivery DESC, observed_at DESC, decided_at DESC, log_offset DESC
    LIMIT 1
) AS v;

CREATE VIEW news.articles AS
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
    (SELECT count(*) FROM ingest.versions AS each WHERE each.article_id = a.article_id) AS versions
FROM ingest.articles AS a
JOIN ingest.shown AS s ON s.article_id = a.article_id
JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id
LEFT JOIN ingest.versions AS e ON e.delivery_id = v.entities_of;

COMMENT ON VIEW news.articles IS
    'One row an article, as its newest stored version has it (newest by observed_at: a late backfill never takes over)';
COMMENT ON COLUMN news.articles.article_id IS 'Stable id: UUIDv5 of the canonical URL, else of (source, own id), else of the text';
COMMENT ON COLUMN news.articles.version_id IS 'Id of this text: UUIDv5 of article, title and text as delivered';
COMMENT ON COLUMN news.articles.source IS 'Who delivered it last, as the producer names it';
COMMENT ON COLUMN news.articles.url IS 'Address as delivered; null where there is none';
COMMENT ON COLUMN news.articles.title IS 'Headline; empty where there is none';
COMMENT ON COLUMN news.articles.byline IS 'Authors as the source names them';
COMMENT ON COLUMN news.articles.text IS 'Published text: as delivered less what cleaning removed';
COMMENT ON COLUMN news.articles.raw IS 'Text as delivered';
COMMENT ON COLUMN news.articles.language IS 'Language of the text (BCP 47) as detected, else as the source says';
COMMENT ON COLUMN news.articles.published_at IS 'When it was published, as the source says';
COMMENT ON COLUMN news.articles.updated_at IS 'When it was last changed, as the source says';
COMMENT ON COLUMN news.articles.first_seen_at IS 'When it was first observed';
COMMENT ON COLUMN news.articles.last_seen_at IS 'When it was last observed (deliveries of the very same version again do not count)';
COMMENT ON COLUMN news.articles.content_changed_at IS 'When this text was first observed as the current one';
COMMENT ON COLUMN news.articles.sentiment_label IS 'negative, neutral or positive; null where no model could run; for a copy that of its original';
COMMENT ON COLUMN news.articles.sentiment_score IS 'Sentiment from -1 (negative) to 1 (positive)';
COMMENT ON COLUMN news.articles.copy_of IS 'The article whose text this one repeats; null where it stands alone';
COMMENT ON COLUMN news.articles.versions IS 'How many versions are stored';

CREATE VIEW news.article_versions AS
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
LEFT JOIN ingest.versions AS e ON e.delivery_id = v.entities_of;

COMMENT ON VIEW news.article_versions IS 'One row a stored text of an article; a return to an earlier text is a row of its own';
COMMENT ON COLUMN news.article_versions.delivery_id IS 'Id of the delivery that brought this version: unique here';
COMMENT ON COLUMN news.article_versions.article_id IS 'The article';
COMMENT ON COLUMN news.article_versions.version_id IS 'Id of the text; the same again when an article returns to an earlier text';
COMMENT ON COLUMN news.article_versions.kind IS 'new, copy or revision';
COMMENT ON COLUMN news.article_versions.is_current IS 'Whether news.articles shows this version';
COMMENT ON COLUMN news.article_versions.source IS 'Who delivered it';
COMMENT ON COLUMN news.article_versions.source_item_id IS 'The source''s own id of the article';
COMMENT ON COLUMN news.article_versions.url IS 'Address as delivered';
COMMENT ON COLUMN news.article_versions.title IS 'Headline';
COMMENT ON COLUMN news.article_versions.byline IS 'Authors as the source names them';
COMMENT ON COLUMN news.article_versions.text IS 'Published text';
COMMENT ON COLUMN news.article_versions.raw IS 'Text as delivered';
COMMENT ON COLUMN news.article_versions.removed IS 'What cleaning cut: [{start, end, rule, text}], code points into raw';
COMMENT ON COLUMN news.article_versions.content_hash IS 'SHA-256 (hex) of normalised title and text: equal where two say the same';
COMMENT ON COLUMN news.article_versions.language IS 'Language of the text (BCP 47)';
COMMENT ON COLUMN news.article_versions.published_at IS 'When it was published, as the source says';
COMMENT ON COLUMN news.article_versions.updated_at IS 'When it was last changed, as the source says';
COMMENT ON COLUMN news.article_versions.observed_at IS 'When it was fetched, written or archived';
COMMENT ON COLUMN news.article_versions.decided_at IS 'When deduplication took it up';
COMMENT ON COLUMN news.article_versions.sentiment_label IS 'negative, neutral or positive; for a copy that of its original';
COMMENT ON COLUMN news.article_versions.sentiment_score IS 'Sentiment from -1 to 1';
COMMENT ON COLUMN news.article_versions.copy_of IS 'The article whose text this version repeats';
COMMENT ON COLUMN news.article_versions.generation IS 'Which enrichment this is, counted from 0; null for a copy, which has none of its own';
COMMENT ON COLUMN news.article_versions.models IS 'Which models made the enrichment: {name: version}';
COMMENT ON COLUMN news.article_versions.enrich_reason IS 'Why there are no entities, where the models could not run';
COMMENT ON COLUMN news.article_versions.enriched_at IS 'When it was enriched';
COMMENT ON COLUMN news.article_versions.targets IS 'Sentiment towards the spans that the sender asked for: [{start, end, sentiment}]';
COMMENT ON COLUMN news.article_versions.notes IS 'What the producer left out or could not read, in words';

CREATE VIEW news.article_entities AS
SELECT
    v.article_id,
    v.version_id,
    e.name,
    e.label,
    e.count,
    e.sentiment_label,
    e.sentiment_score,
    e.negative,
    e.neutral,
    e.positive,
    v.copy_of
FROM ingest.shown AS s
JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id
JOIN ingest.entities AS e ON e.delivery_id = v.entities_of;

COMMENT ON VIEW news.article_entities IS 'The names in each article as news.articles shows it; a copy has those of its original';
COMMENT ON COLUMN news.article_entities.article_id IS 'The article';
COMMENT ON COLUMN news.article_entities.version_id IS 'The version shown';
COMMENT ON COLUMN news.article_entities.name IS 'The name, without titles and articles; the longest form in the text';
COMMENT ON COLUMN news.article_entities.label IS 'PERSON, ORG, GPE, LOC, FAC, NORP, EVENT, … as spaCy has them';
COMMENT ON COLUMN news.article_entities.count IS 'How often it stands in the text';
COMMENT ON COLUMN news.article_entities.sentiment_label IS 'Sentiment towards this name: negative, neutral or positive';
COMMENT ON COLUMN news.article_entities.sentiment_score IS 'Sentiment towards this name, from -1 to 1';
COMMENT ON COLUMN news.article_entities.negative IS 'Share of negative, 0 to 1; the three add up to 1 where the model gives them';
COMMENT ON COLUMN news.article_entities.neutral IS 'Share of neutral, 0 to 1';
COMMENT ON COLUMN news.article_entities.positive IS 'Share of positive, 0 to 1';
COMMENT ON COLUMN news.article_entities.copy_of IS 'The article whose text this one repeats; null where it stands alone';

CREATE VIEW news.mentions AS
SELECT
    v.article_id,
    v.version_id,
    e.name,
    e.label,
    m.text,
    m.start_offset,
    m.end_offset,
    m.raw_start,
    m.raw_end
FROM ingest.shown AS s
JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id
JOIN ingest.entities AS e ON e.delivery_id = v.delivery_id
JOIN ingest.mentions AS m ON m.delivery_id = e.delivery_id AND m.entity = e.entity;

COMMENT ON VIEW news.mentions IS 'Where the names stand in each article as shown. None for copies: offsets hold in the original only';
COMMENT ON COLUMN news.mentions.article_id IS 'The article';
COMMENT ON COLUMN news.mentions.version_id IS 'The version shown';
COMMENT ON COLUMN news.mentions.name IS 'The name it was taken for';
COMMENT ON COLUMN news.mentions.label IS 'PERSON, ORG, GPE, …';
COMMENT ON COLUMN news.mentions.text IS 'The words as they stand';
COMMENT ON COLUMN news.mentions.start_offset IS 'First code point in news.articles.text, counted from 0';
COMMENT ON COLUMN news.mentions.end_offset IS 'Code point after the last, in text';
COMMENT ON COLUMN news.mentions.raw_start IS 'First code point in raw';
COMMENT ON COLUMN news.mentions.raw_end IS 'Code point after the last, in raw';

CREATE VIEW news.entities AS
SELECT
    e.name,
    e.label,
    count(DISTINCT s.article_id) AS articles,
    sum(e.count)::bigint AS mentions
FROM ingest.entities AS e
JOIN ingest.versions AS v ON v.delivery_id = e.delivery_id
JOIN ingest.shown AS s ON s.article_id = v.article_id AND s.delivery_id = v.delivery_id
GROUP BY e.name, e.label;

COMMENT ON VIEW news.entities IS 'All names over the articles as shown; copies are not counted again';
COMMENT ON COLUMN news.entities.name IS 'The name';
COMMENT ON COLUMN news.entities.label IS 'PERSON, ORG, GPE, …';
COMMENT ON COLUMN news.entities.articles IS 'In how many articles it stands';
COMMENT ON COLUMN news.entities.mentions IS 'How often it stands in them';

CREATE VIEW news.copies AS
SELECT
    v.article_id,
    v.version_id,
    v.copy_of,
    v.of_version,
    (
        WITH RECURSIVE chain (article_id, copy_of) AS (
            SELECT v.article_id, v.copy_of
            UNION  -- not ALL: two articles may each return to the other's text
            SELECT next.article_id, next.copy_of
            FROM chain
            JOIN ingest.shown AS shown ON shown.article_id = chain.copy_of
            JOIN ingest.versions AS next ON next.delivery_id = shown.delivery_id
        )
        SELECT a.article_id
        FROM chain JOIN ingest.articles AS a ON a.article_id = chain.copy_of
        ORDER BY a.first_seen_at, a.article_id
        LIMIT 1
    ) AS original,
    d.method,
    d.score,
    d.threshold,
    v.source,
    v.observed_at
FROM ingest.shown AS s
JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id
LEFT JOIN LATERAL (
    SELECT method, score, threshold
    FROM ingest.decisions
    WHERE decisions.delivery_id = v.delivery_id AND decisions.kind = v.kind
    ORDER BY raw_topic_id, raw_partition, raw_offset
    LIMIT 1
) AS d ON true
WHERE v.copy_of IS NOT NULL;

COMMENT ON VIEW news.copies IS 'Articles whose shown text another article had first, each with the article it repeats';
COMMENT ON COLUMN news.copies.article_id IS 'The copy';
COMMENT ON COLUMN news.copies.version_id IS 'Its version shown';
COMMENT ON COLUMN news.copies.copy_of IS 'The article it was found equal to';
COMMENT ON COLUMN news.copies.of_version IS 'The version it was found equal to; null for a revision that took over another article''s text';
COMMENT ON COLUMN news.copies.original IS 'Where chains end: the article seen first among those it repeats, directly or not';
COMMENT ON COLUMN news.copies.method IS 'exact or near: how the text was found equal; url, item, text: how the article was recognised';
COMMENT ON COLUMN news.copies.score IS 'How much of the smaller text is in the larger, 0 to 1; null where they are equal';
COMMENT ON COLUMN news.copies.threshold IS 'What the score had to reach';
COMMENT ON COLUMN news.copies.source IS 'Who delivered the copy';
COMMENT ON COLUMN news.copies.observed_at IS 'When the copy was observed';

CREATE VIEW news.decisions AS
SELECT
    delivery_id, article_id, version_id, kind, method, of_article, of_version, of_delivery, same_text_as, score,
    threshold, rules_version, log_id, log_offset, decided_at, observed_at, source, raw_topic_id, raw_partition,
    raw_offset
FROM ingest.decisions;

COMMENT ON VIEW news.decisions IS 'One row a delivery: what it is, and why';
COMMENT ON COLUMN news.decisions.delivery_id IS 'The delivery';
COMMENT ON COLUMN news.decisions.article_id IS 'The article it belongs to';
COMMENT ON COLUMN news.decisions.version_id IS 'The text it brought';
COMMENT ON COLUMN news.decisions.kind IS 'new, copy, revision, unchanged or redelivery';
COMMENT ON COLUMN news.decisions.method IS 'How it was recognised: url, item (own id), text, exact, near or store';
COMMENT ON COLUMN news.decisions.of_article IS 'The article it was held against';
COMMENT ON COLUMN news.decisions.of_version IS 'The version it was held against';
COMMENT ON COLUMN news.decisions.of_delivery IS 'The delivery it was held against';
COMMENT ON COLUMN news.decisions.same_text_as IS 'revision: another article that has this text';
COMMENT ON COLUMN news.decisions.score IS 'How alike the texts are, 0 to 1';
COMMENT ON COLUMN news.decisions.threshold IS 'What the score had to reach';
COMMENT ON COLUMN news.decisions.rules_version IS 'Version of the rules that decided';
COMMENT ON COLUMN news.decisions.log_id IS 'Topic id of the signature log';
COMMENT ON COLUMN news.decisions.log_offset IS 'Place in the signature log: the order everybody agrees on';
COMMENT ON COLUMN news.decisions.decided_at IS 'When the log took it up';
COMMENT ON COLUMN news.decisions.observed_at IS 'When the delivery was observed';
COMMENT ON COLUMN news.decisions.source IS 'Who delivered it';
COMMENT ON COLUMN news.decisions.raw_topic_id IS 'Where it stood on articles.raw: topic id';
COMMENT ON COLUMN news.decisions.raw_partition IS 'Where it stood on articles.raw: partition';
COMMENT ON COLUMN news.decisions.raw_offset IS 'Where it stood on articles.raw: offset';

CREATE VIEW news.sources AS
SELECT
    source,
    count(*) AS deliveries,
    count(DISTINCT article_id) AS articles,
    count(*) FILTER (WHERE kind = 'copy') AS copies,
    min(observed_at) AS first_seen_at,
    max(observed_at) AS last_seen_at
FROM ingest.decisions
GROUP BY source;

COMMENT ON VIEW news.sources IS 'Who delivered what';
COMMENT ON COLUMN news.sources.source IS 'The source';
COMMENT ON COLUMN news.sources.deliveries IS 'Deliveries decided, all kinds';
COMMENT ON COLUMN news.sources.articles IS 'Distinct articles it delivered';
COMMENT ON COLUMN news.sources.copies IS 'Deliveries that repeated another article''s text';
COMMENT ON COLUMN news.sources.first_seen_at IS 'Its first delivery';
COMMENT ON COLUMN news.sources.last_seen_at IS 'Its last delivery, redeliveries too';

CREATE VIEW news.dead_letters AS
SELECT
    id, stage, reason, detail, topic, topic_id, partition, record_offset, origin, key, value, length, sha256, tries,
    truncated, failed_at, worker, ingested_at
FROM ingest.dead_letters;

COMMENT ON VIEW news.dead_letters IS 'Records that can never succeed, with the reason and the original bytes';
COMMENT ON COLUMN news.dead_letters.id IS 'Id of the dead letter: the same however often its record fails again at that stage';
COMMENT ON COLUMN news.dead_letters.stage IS 'The stage that could not use it';
COMMENT ON COLUMN news.dead_letters.reason IS 'Why: one of a closed set';
COMMENT ON COLUMN news.dead_letters.detail IS 'Why, in words';
COMMENT ON COLUMN news.dead_letters.topic IS 'Where the record stood: topic name; null for what never reached Kafka';
COMMENT ON COLUMN news.dead_letters.topic_id IS 'Where the record stood: topic id';
COMMENT ON COLUMN news.dead_letters.partition IS 'Where the record stood: partition';
COMMENT ON COLUMN news.dead_letters.record_offset IS 'Where the record stood: offset';
COMMENT ON COLUMN news.dead_letters.origin IS 'Where it came from otherwise: a path with line, or an address';
COMMENT ON COLUMN news.dead_letters.key IS 'Original key';
COMMENT ON COLUMN news.dead_letters.value IS 'Original bytes, or their beginning where truncated';
COMMENT ON COLUMN news.dead_letters.length IS 'Length of the original in bytes';
COMMENT ON COLUMN news.dead_letters.sha256 IS 'SHA-256 (hex) of the original';
COMMENT ON COLUMN news.dead_letters.tries IS 'How often it was tried';
COMMENT ON COLUMN news.dead_letters.truncated IS 'Whether value is only the beginning';
COMMENT ON COLUMN news.dead_letters.failed_at IS 'When it failed';
COMMENT ON COLUMN news.dead_letters.worker IS 'Which process gave it up';
COMMENT ON COLUMN news.dead_letters.ingested_at IS 'When this row was written';

CREATE VIEW news.balance AS
SELECT 'decision' AS what, source, kind, date_trunc('hour', decided_at, 'UTC') AS hour, count(*) AS count
FROM ingest.decisions GROUP BY source, kind, hour
UNION ALL
SELECT 'version', source, kind, date_trunc('hour', decided_at, 'UTC') AS hour, count(*)
FROM ingest.versions GROUP BY source, kind, hour
UNION ALL
SELECT 'dead-letter', stage, reason, date_trunc('hour', failed_at, 'UTC') AS hour, count(*)
FROM ingest.dead_letters GROUP BY stage, reason, hour;

COMMENT ON VIEW news.balance IS 'The books, as far as SQL knows them: what was decided, stored and given up';
COMMENT ON COLUMN news.balance.what IS 'decision, version or dead-letter';
COMMENT ON COLUMN news.balance.source IS 'The source; for a dead letter the stage';
COMMENT ON COLUMN news.balance.kind IS 'The kind of decision; for a dead letter the reason';
COMMENT ON COLUMN news.balance.hour IS 'Full hour (UTC) in which it was decided, or failed';
COMMENT ON COLUMN news.balance.count IS 'How many';

-- What changed, numbered in the order in which it can be seen; and what was taken back. Roles stand in sinks/roles.sql.

-- A sink of an earlier version would write rows that no change tells of: the new name stops it, at its next batch.
ALTER TABLE ingest.positions RENAME COLUMN updated_at TO written_at;

CREATE TABLE ingest.changes (
    change     bigint      PRIMARY KEY,
    kind       text        NOT NULL CHECK (
        kind IN ('new', 'revision', 'copy', 'enriched', 'withdrawn', 'restored', 'erased')
    ),
    changed_at timestamptz NOT NULL,
    article_id uuid        NOT NULL,
    version_id uuid,
    delivery_id uuid,
    generation integer
);
COMMENT ON TABLE ingest.changes IS 'What readers of schema news can see to have changed; appended to by append_changes.sql';

CREATE TABLE ingest.change_counter (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    last    bigint  NOT NULL,
    oldest  bigint  NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE ingest.change_counter IS
    'One row, locked last by each transaction that appends changes and held until it commits: so nobody sees a number '
    'before all smaller ones, and none is left out';
COMMENT ON COLUMN ingest.change_counter.oldest IS 'The smallest number that is kept; retention moves it';
INSERT INTO ingest.change_counter (last, oldest) VALUES (0, 1);

ALTER TABLE ingest.articles
    ADD COLUMN withdrawn        text,
    ADD COLUMN withdrawn_at     timestamptz,
    ADD COLUMN withdrawn_reason text,
    -- NOT VALID: all rows that are there have null, and looking at each would lock the table for as long.
    ADD CONSTRAINT articles_withdrawn CHECK (withdrawn IN ('withdrawn', 'erased')) NOT VALID;
COMMENT ON COLUMN ingest.articles.withdrawn IS
    'withdrawn: stored and not shown; erased: nothing of it is stored but this row, and nothing of it is taken again; '
    'null: neither, or restored';
COMMENT ON COLUMN ingest.articles.withdrawn_at IS 'When the last word on that was asked for: an older word changes nothing';

-- An article has 15 names and 40 mentions, about. A foreign key is looked up for each of these rows by itself, which took
-- a sixth of all that PostgreSQL does to store an article, and it locks the rows of names that all sinks share. The sink
-- writes them only beside the version that it wrote, and the register before both, where no row ever goes. What goes with
-- a version or a name goes by these triggers, for all rows of a statement at once. (That key of register_id stopped
-- sinks from before 0006; written_at stops these too.)
ALTER TABLE ingest.mentions DROP CONSTRAINT mentions_delivery_id_entity_fkey;
ALTER TABLE ingest.entities
    DROP CONSTRAINT entities_delivery_id_fkey,
    DROP CONSTRAINT entities_register_id_fkey;

CREATE FUNCTION ingest.delete_entities() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM ingest.entities AS e USING gone WHERE e.delivery_id = gone.delivery_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER versions_deleted AFTER DELETE ON ingest.versions
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION ingest.delete_entities();

CREATE FUNCTION ingest.delete_mentions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM ingest.mentions AS m USING gone WHERE m.delivery_id = gone.delivery_id AND m.entity = gone.entity;
    RETURN NULL;
END
$$;
CREATE TRIGGER entities_deleted AFTER DELETE ON ingest.entities
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION ingest.delete_mentions();

ALTER TABLE ingest.versions ADD COLUMN told boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN ingest.versions.told IS
    'A change told of it before the last word hid it: where that shows it again, it is not told of twice';

ALTER TABLE ingest.dead_letters ADD COLUMN erased boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN ingest.dead_letters.erased IS 'Its article was erased, and what it held with it';
-- Their indexes, and that of what is withdrawn, are built in 0012, beside those who write.

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
) AS v
WHERE a.withdrawn IS NULL;

CREATE VIEW news.changes AS
SELECT change, kind, changed_at, article_id, version_id, delivery_id, generation
FROM ingest.changes;

COMMENT ON VIEW news.changes IS
    'What changed, each once, in the order in which it could be seen. Read it by news.read_changes, which tells a reader '
    'that comes too late; the numbers have no gaps';
COMMENT ON COLUMN news.changes.change IS
    'Its number, from 1: whoever sees one sees all smaller ones. The position of a reader is the last that it has done';
COMMENT ON COLUMN news.changes.kind IS
    'new, revision, copy: a version was stored, as news.article_versions has it; enriched: it was enriched again, by '
    'other models or rules; withdrawn: the article is shown no more; restored: it is shown again; erased: nothing of it '
    'is stored any more';
COMMENT ON COLUMN news.changes.changed_at IS 'When it was stored, by the clock of PostgreSQL; it follows the numbers';
COMMENT ON COLUMN news.changes.article_id IS 'The article';
COMMENT ON COLUMN news.changes.version_id IS 'The text; null for withdrawn, restored and erased';
COMMENT ON COLUMN news.changes.delivery_id IS 'The row of news.article_versions; null for withdrawn, restored and erased';
COMMENT ON COLUMN news.changes.generation IS
    'enriched, new, revision: which enrichment it is, from 0; null for a copy, which has none of its own';

CREATE VIEW news.change_range AS
SELECT oldest, last FROM ingest.change_counter;

COMMENT ON VIEW news.change_range IS 'One row: which changes news.changes has';
COMMENT ON COLUMN news.change_range.oldest IS 'The smallest number that is kept; last + 1 where there is none';
COMMENT ON COLUMN news.change_range.last IS 'The greatest number given out; 0 where there is none yet';

CREATE FUNCTION news.read_changes(after bigint, most integer DEFAULT 1000) RETURNS SETOF news.changes
LANGUAGE plpgsql STABLE AS $$
DECLARE
    kept news.change_range;
BEGIN
    IF after IS NULL OR after < 0 OR most IS NULL OR most < 1 THEN
        RAISE EXCEPTION 'after is a position (0 before the first change), most a number of rows above 0'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- A stable function has the snapshot of the query that calls it: the range and the rows belong together.
    SELECT * INTO STRICT kept FROM news.change_range;
    IF after < kept.oldest - 1 THEN
        RAISE EXCEPTION 'changes % to % are no longer kept', after + 1, kept.oldest - 1 USING
            ERRCODE = 'NF001',
            HINT = 'Read news.articles anew, together with last of news.change_range in one REPEATABLE READ transaction, '
                'and go on from there.';
    ELSIF after > kept.last THEN
        RAISE EXCEPTION 'change % was never given out here, the last one is %', after, kept.last USING
            ERRCODE = 'NF002',
            HINT = 'This is another database, or one that was restored from a backup older than your position: start '
                'anew, as for changes that are no longer kept.';
    END IF;
    RETURN QUERY SELECT c.* FROM news.changes AS c WHERE c.change > after ORDER BY c.change LIMIT most;
END
$$;
COMMENT ON FUNCTION news.read_changes(bigint, integer) IS
    'The changes behind a position, at most so many, in order. An error, SQLSTATE NF001, where some of them are no longer '
    'kept; NF002 where the position lies ahead of this database';

CREATE VIEW news.withdrawals AS
SELECT article_id, withdrawn AS kind, withdrawn_reason AS reason, withdrawn_at
FROM ingest.articles
WHERE withdrawn IS NOT NULL;

COMMENT ON VIEW news.withdrawals IS 'Articles that were taken back: no other view but news.decisions and news.changes has them';
COMMENT ON COLUMN news.withdrawals.article_id IS 'The article, as it was known';
COMMENT ON COLUMN news.withdrawals.kind IS 'withdrawn: not shown; erased: not even stored';
COMMENT ON COLUMN news.withdrawals.reason IS 'Why, in the words of whoever did it';
COMMENT ON COLUMN news.withdrawals.withdrawn_at IS 'When it was asked for';

-- A reader's own function or cast in a WHERE may be run before a view's joins and conditions are, on rows that these would
-- leave out, and say what it saw. So what an article says is asked for behind a CASE that repeats them: what is taken back
-- is null there. (A security_barrier would do it too, but then neither a join with the view nor ORDER BY … LIMIT gets at
-- its indexes.) Ids and times are not behind one: news.decisions has them of every article.
CREATE OR REPLACE VIEW news.articles AS
SELECT
    a.article_id,
    v.version_id,
    a.source,
    CASE WHEN a.withdrawn IS NULL THEN a.url END AS url,  -- as the index articles_shown_url has it
    CASE WHEN a.withdrawn IS NULL AND v.article_id = a.article_id THEN
        CASE WHEN s.is_current THEN a.title ELSE v.title END
    END AS title,
    CASE WHEN a.withdrawn IS NULL THEN a.byline END AS byline,
    CASE WHEN a.withdrawn IS NULL AND v.article_id = a.article_id THEN v.text END AS text,
    CASE WHEN a.withdrawn IS NULL AND v.article_id = a.article_id THEN coalesce(v.raw, v.text) END AS raw,
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
    CASE
        WHEN a.withdrawn IS NULL THEN ARRAY(SELECT jsonb_array_elements_text(a.details -> 'categories'))
    END AS categories,
    CASE WHEN a.withdrawn IS NULL THEN coalesce(a.details -> 'enclosures', '[]') END AS enclosures,
    a.details ->> 'published_at_from' AS published_at_from,
    v.details ->> 'extractor' AS extractor,
    ARRAY(SELECT jsonb_array_elements_text(v.details -> 'flags')) AS flags,
    -- Scalar subqueries: what is not selected is not asked.
    (
        SELECT count(*)
        FROM ingest.versions AS c
        JOIN ingest.shown AS other ON other.article_id = c.article_id AND other.delivery_id = c.delivery_id
        WHERE c.copy_of = a.article_id
    ) AS copies,
    (
        SELECT d.raw_topic_id FROM ingest.decisions AS d
        WHERE d.delivery_id = v.delivery_id AND d.log_id = v.log_id AND d.log_offset = v.log_offset LIMIT 1
    ) AS raw_topic_id,
    (
        SELECT d.raw_partition FROM ingest.decisions AS d
        WHERE d.delivery_id = v.delivery_id AND d.log_id = v.log_id AND d.log_offset = v.log_offset LIMIT 1
    ) AS raw_partition,
    (
        SELECT d.raw_offset FROM ingest.decisions AS d
        WHERE d.delivery_id = v.delivery_id AND d.log_id = v.log_id AND d.log_offset = v.log_offset LIMIT 1
    ) AS raw_offset,
    v.delivery_id
FROM ingest.articles AS a
JOIN ingest.shown AS s ON s.article_id = a.article_id
JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id
LEFT JOIN ingest.versions AS e ON e.delivery_id = v.entities_of;

COMMENT ON COLUMN news.articles.copies IS 'How many other articles show its text: news.copies has them';
COMMENT ON COLUMN news.articles.raw_topic_id IS
    'Kafka''s id of the topic articles.raw from which this text came; null until its decision is stored';
COMMENT ON COLUMN news.articles.raw_partition IS 'The partition of articles.raw from which this text came';
COMMENT ON COLUMN news.articles.raw_offset IS 'The offset in that partition';
COMMENT ON COLUMN news.articles.delivery_id IS 'The row of news.article_versions that is shown';

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
    CASE WHEN a.withdrawn IS NULL THEN v.source_item_id END AS source_item_id,
    CASE WHEN a.withdrawn IS NULL THEN v.url END AS url,
    CASE WHEN a.withdrawn IS NULL THEN v.title END AS title,
    CASE WHEN a.withdrawn IS NULL THEN v.byline END AS byline,
    CASE WHEN a.withdrawn IS NULL THEN v.text END AS text,
    CASE WHEN a.withdrawn IS NULL THEN coalesce(v.raw, v.text) END AS raw,
    CASE WHEN a.withdrawn IS NULL THEN v.removed END AS removed,
    CASE WHEN a.withdrawn IS NULL THEN v.content_hash END AS content_hash,
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
    CASE WHEN a.withdrawn IS NULL THEN v.targets END AS targets,
    CASE WHEN a.withdrawn IS NULL THEN v.notes END AS notes,
    CASE
        WHEN a.withdrawn IS NULL THEN ARRAY(SELECT jsonb_array_elements_text(v.details -> 'categories'))
    END AS categories,
    CASE WHEN a.withdrawn IS NULL THEN coalesce(v.details -> 'enclosures', '[]') END AS enclosures,
    v.details ->> 'published_at_from' AS published_at_from,
    v.details ->> 'extractor' AS extractor,
    ARRAY(SELECT jsonb_array_elements_text(v.details -> 'flags')) AS flags
FROM ingest.versions AS v
LEFT JOIN ingest.versions AS e ON e.delivery_id = v.entities_of
-- An outer join, behind which conditions on its columns wait: a version may be there before its article.
LEFT JOIN ingest.articles AS a ON a.article_id = v.article_id
WHERE v.repeats IS NULL AND a.withdrawn IS NULL;

CREATE OR REPLACE VIEW news.copies AS
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
    v.observed_at,
    first.source AS copied_source,
    extract(EPOCH FROM v.observed_at - first.first_seen_at)::double precision AS delay_seconds
FROM ingest.shown AS s
JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id
LEFT JOIN ingest.articles AS first ON first.article_id = v.copy_of AND first.withdrawn IS NULL
LEFT JOIN LATERAL (
    SELECT method, score, threshold
    FROM ingest.decisions
    WHERE decisions.delivery_id = v.delivery_id AND decisions.kind = v.kind
    ORDER BY raw_topic_id, raw_partition, raw_offset
    LIMIT 1
) AS d ON true
WHERE v.copy_of IS NOT NULL;

COMMENT ON COLUMN news.copies.copied_source IS
    'Who delivered copy_of last; null where that is not stored yet, or was taken back';
COMMENT ON COLUMN news.copies.delay_seconds IS
    'Seconds from when copy_of was first observed to this text; below 0 where this one was observed before it';

CREATE VIEW news.entity_days WITH (security_barrier) AS
SELECT
    e.register_id,
    date_trunc('day', coalesce(a.published_at, a.first_seen_at), 'UTC')::date AS day,
    mode() WITHIN GROUP (ORDER BY e.name) AS name,
    mode() WITHIN GROUP (ORDER BY e.label) AS label,
    count(*) AS articles,
    sum(e.count)::bigint AS mentions,
    avg(e.sentiment_score) AS sentiment_score
FROM ingest.entities AS e
JOIN ingest.versions AS v ON v.delivery_id = e.delivery_id
JOIN ingest.shown AS s ON s.article_id = v.article_id AND s.delivery_id = v.delivery_id
JOIN ingest.articles AS a ON a.article_id = v.article_id
GROUP BY e.register_id, day;

COMMENT ON VIEW news.entity_days IS
    'Everybody and everything named, day by day, in the articles as shown; copies are not counted again';
COMMENT ON COLUMN news.entity_days.register_id IS 'Who it is, as in news.entities';
COMMENT ON COLUMN news.entity_days.day IS 'Day (UTC) of published_at, or of first_seen_at where that is not known';
COMMENT ON COLUMN news.entity_days.name IS 'The name, in the form that most of these articles have';
COMMENT ON COLUMN news.entity_days.label IS 'PERSON, ORG, GPE, …';
COMMENT ON COLUMN news.entity_days.articles IS 'Articles of that day that name it';
COMMENT ON COLUMN news.entity_days.mentions IS 'How often they name it';
COMMENT ON COLUMN news.entity_days.sentiment_score IS
    'Mean of the sentiment towards it over these articles, from -1 to 1; null where none was found';

-- Comments made clearer: of what was there before.
COMMENT ON SCHEMA news IS
    'The contract for readers: views and functions only. Schema ingest is private and may change';

COMMENT ON VIEW news.articles IS
    'One row an article, as its newest stored version has it (newest by observed_at: a late backfill never takes over). '
    'Articles that were taken back are not here';
COMMENT ON COLUMN news.articles.version_id IS
    'Id of the text shown: UUIDv5 of article, title and text as delivered; the same title and text give the same id';
COMMENT ON COLUMN news.articles.source IS 'The source that delivered it last, by the name that news.sources has';
COMMENT ON COLUMN news.articles.url IS 'Address, as the newest delivery has it; null where that has none';
COMMENT ON COLUMN news.articles.title IS 'Headline, as the newest delivery has it; empty where there is none';
COMMENT ON COLUMN news.articles.byline IS 'Authors, in the words of the source; null where it names none';
COMMENT ON COLUMN news.articles.text IS
    'The text to read: raw less what cleaning removed. Paragraphs are lines. Offsets elsewhere count its code points, from 0';
COMMENT ON COLUMN news.articles.raw IS
    'The plain text as delivered, before cleaning; of a web page what was extracted (HTML is not kept)';
COMMENT ON COLUMN news.articles.language IS
    'Language of the text, a primary subtag of BCP 47 (en, de): as the source says unless the text flatly speaks '
    'against it, else as detected; null where nobody can tell';
COMMENT ON COLUMN news.articles.published_at IS
    'When it was published, in the words of the source or its page; null where neither says. It may be wrong or in the '
    'future: published_at_from says where it was found';
COMMENT ON COLUMN news.articles.updated_at IS 'When it was last changed, as the source says; null where it does not say';
COMMENT ON COLUMN news.articles.first_seen_at IS
    'The earliest observed_at of its deliveries: when it was first fetched, written or archived, by the producer''s clock';
COMMENT ON COLUMN news.articles.content_changed_at IS 'The observed_at of the version shown: since when the text is this one';
COMMENT ON COLUMN news.articles.sentiment_label IS
    'How the article speaks of whom it speaks of: negative, neutral or positive, by a model; null where no model knows '
    'the language; for a copy that of its original';
COMMENT ON COLUMN news.articles.sentiment_score IS
    'The same as a number, from -1 (negative) to 1 (positive); null where the label is';
COMMENT ON COLUMN news.articles.copy_of IS
    'The article whose text this one repeats: news.copies says how; null where it stands alone';
COMMENT ON COLUMN news.articles.versions IS 'How many texts of it are stored: its rows in news.article_versions, 1 or more';

COMMENT ON VIEW news.article_versions IS
    'One row a stored text of an article, this and all before; a return to an earlier text is a row of its own. Order '
    'them by observed_at, decided_at. Articles that were taken back are not here';
COMMENT ON COLUMN news.article_versions.delivery_id IS
    'Id of the delivery that brought this version: UUIDv7, unique here; news.decisions and news.changes have the same';
COMMENT ON COLUMN news.article_versions.article_id IS 'The article, as in news.articles';
COMMENT ON COLUMN news.article_versions.kind IS
    'new: the first text of its article; copy: that, and another article has it; revision: a later text';
COMMENT ON COLUMN news.article_versions.source IS 'The source that delivered it, by the name that news.sources has';
COMMENT ON COLUMN news.article_versions.source_item_id IS 'The source''s own id of the article; null where it gives none';
COMMENT ON COLUMN news.article_versions.url IS 'Address as delivered with this version; null where there is none';
COMMENT ON COLUMN news.article_versions.title IS 'Headline of this version; empty where there is none';
COMMENT ON COLUMN news.article_versions.byline IS 'Authors, in the words of the source; null where it names none';
COMMENT ON COLUMN news.article_versions.text IS
    'The text to read: raw less what cleaning removed. Offsets elsewhere count its code points, from 0';
COMMENT ON COLUMN news.article_versions.raw IS 'The plain text as delivered, before cleaning';
COMMENT ON COLUMN news.article_versions.removed IS
    'What cleaning cut: [{start, end, rule, text}], start and end in code points of raw, from 0';
COMMENT ON COLUMN news.article_versions.language IS 'Language of the text, a primary subtag of BCP 47 (en, de); null: not known';
COMMENT ON COLUMN news.article_versions.published_at IS 'When it was published, as the source says with this version';
COMMENT ON COLUMN news.article_versions.updated_at IS 'When it was last changed, as the source says with this version';
COMMENT ON COLUMN news.article_versions.observed_at IS
    'When this text was fetched, written or archived, by the producer''s clock; it orders the versions of an article';
COMMENT ON COLUMN news.article_versions.decided_at IS 'When deduplication took it up, by Kafka''s clock';
COMMENT ON COLUMN news.article_versions.sentiment_label IS
    'negative, neutral or positive, as in news.articles; for a copy that of its original; null where no model could run';
COMMENT ON COLUMN news.article_versions.sentiment_score IS 'The same as a number, from -1 (negative) to 1 (positive)';
COMMENT ON COLUMN news.article_versions.copy_of IS
    'The article whose text this version repeats; null where it stands alone';
COMMENT ON COLUMN news.article_versions.models IS
    'What made the enrichment: {model or rules: its version}; null for a copy, which has none of its own';
COMMENT ON COLUMN news.article_versions.enrich_reason IS
    'Why there are no names, in words, where the models could not run; null where they could, and for a copy';
COMMENT ON COLUMN news.article_versions.enriched_at IS 'When the models had done it, by their machine''s clock; null for a copy';
COMMENT ON COLUMN news.article_versions.targets IS
    'Sentiment towards the spans that the sender asked for: [{start, end, sentiment: {label, score, …}}], start and end in '
    'code points of the text as it was sent; null: nothing was asked';

COMMENT ON VIEW news.article_entities IS
    'One row a name in an article, as news.articles shows it: who and what it names. A copy has the names of its original';
COMMENT ON COLUMN news.article_entities.article_id IS 'The article, as in news.articles';
COMMENT ON COLUMN news.article_entities.version_id IS 'The version of it that is shown';
COMMENT ON COLUMN news.article_entities.name IS
    'The name, without titles ("President") and "the"; in the longest form that the text has';
COMMENT ON COLUMN news.article_entities.label IS
    'What it is, by spaCy or the watch list: PERSON, ORG (organisations), GPE (countries, towns), LOC (other places), FAC (buildings, roads), '
    'NORP (nationalities, parties), EVENT, …';
COMMENT ON COLUMN news.article_entities.count IS
    'How often the text names it, in any form; news.mentions has at most 5,000 places an article';
COMMENT ON COLUMN news.article_entities.sentiment_label IS
    'How the sentences that name it speak of it: negative, neutral or positive, by a model; null where none knows the language';
COMMENT ON COLUMN news.article_entities.sentiment_score IS
    'The same as a number, positive less negative, from -1 to 1; null where the label is';
COMMENT ON COLUMN news.article_entities.negative IS
    'Share of negative, 0 to 1, mean over its first 50 mentions; the three add up to 1; null where the model gives none';
COMMENT ON COLUMN news.article_entities.neutral IS 'Share of neutral, 0 to 1; null as negative is';
COMMENT ON COLUMN news.article_entities.positive IS 'Share of positive, 0 to 1; null as negative is';
COMMENT ON COLUMN news.article_entities.evidence IS
    'The sentences that say most clearly what sentiment_label says: [{start, end, score}], start and end in code points of '
    'text, from 0 (of a copy: of its original''s text); empty where it is neutral';

COMMENT ON VIEW news.mentions IS
    'One row a place where a name stands in an article as news.articles shows it. None for copies: offsets hold in the '
    'original only, see copy_of there';
COMMENT ON COLUMN news.mentions.article_id IS 'The article, as in news.articles';
COMMENT ON COLUMN news.mentions.version_id IS 'The version of it that is shown: offsets point into its text';
COMMENT ON COLUMN news.mentions.name IS 'Whom the words mean, as in news.article_entities';
COMMENT ON COLUMN news.mentions.label IS 'What it is, as in news.article_entities';
COMMENT ON COLUMN news.mentions.text IS 'The words as they stand there: substr(text, start_offset + 1, end_offset - start_offset)';
COMMENT ON COLUMN news.mentions.start_offset IS 'First code point of them in news.articles.text, from 0';
COMMENT ON COLUMN news.mentions.end_offset IS 'The code point behind the last, in the same text';
COMMENT ON COLUMN news.mentions.raw_start IS 'First code point of them in news.articles.raw, from 0';
COMMENT ON COLUMN news.mentions.raw_end IS 'The code point behind the last, in raw';

COMMENT ON COLUMN news.entities.articles IS 'In how many articles it stands, copies not counted';
COMMENT ON COLUMN news.entities.mentions IS 'How often it stands in them: the sum of count in news.article_entities';

COMMENT ON VIEW news.copies IS
    'One row an article whose shown text another article had first, with the article that it repeats';
COMMENT ON COLUMN news.copies.article_id IS 'The copy, as in news.articles';
COMMENT ON COLUMN news.copies.version_id IS 'The version of the copy that is shown';
COMMENT ON COLUMN news.copies.copy_of IS
    'The article that it was found to repeat, the earliest one known then; it may be a copy itself by now: see original';
COMMENT ON COLUMN news.copies.of_version IS
    'The version of copy_of that it was found to repeat; null for a revision that took over another article''s text';
COMMENT ON COLUMN news.copies.score IS
    'Share of the smaller text''s sequences of three words that the larger one has, 0 to 1; null where they are equal';
COMMENT ON COLUMN news.copies.threshold IS 'What the score had to reach, 0 to 1; null where score is';
COMMENT ON COLUMN news.copies.source IS 'The source that delivered the copy';
COMMENT ON COLUMN news.copies.observed_at IS 'When the copy''s text was first fetched, written or archived';

COMMENT ON VIEW news.decisions IS
    'One row a delivery, repeats too: what it is, and why. It has no texts; those of an article that was taken back stay, '
    'those of one that went by age (retention) go with it';
COMMENT ON COLUMN news.decisions.delivery_id IS
    'The delivery: UUIDv7, made when the producer took it in. Not unique: the same delivery may reach Kafka twice';
COMMENT ON COLUMN news.decisions.kind IS
    'new: an article''s first; copy: that, and another article has its text; revision: another text of a known article; '
    'unchanged: the same text with other bytes or metadata; redelivery: this very version again';
COMMENT ON COLUMN news.decisions.of_article IS 'The article it was held against; null for new';
COMMENT ON COLUMN news.decisions.of_version IS 'The version it was held against; null for new';
COMMENT ON COLUMN news.decisions.of_delivery IS 'The delivery it was held against; null for new';
COMMENT ON COLUMN news.decisions.score IS
    'Share of the smaller text''s sequences of three words that the larger one has, 0 to 1; null where none was needed';
COMMENT ON COLUMN news.decisions.threshold IS 'What the score had to reach to be a copy, 0 to 1; null where score is';
COMMENT ON COLUMN news.decisions.rules_version IS 'Version of the rules of cleaning and comparing that decided';
COMMENT ON COLUMN news.decisions.log_id IS 'Kafka''s id of the topic articles.signatures, the log in which it was decided';
COMMENT ON COLUMN news.decisions.log_offset IS
    'Offset in that log: the one order of all deliveries of one log_id';
COMMENT ON COLUMN news.decisions.decided_at IS 'When the log took it up, by Kafka''s clock';
COMMENT ON COLUMN news.decisions.observed_at IS 'When it was fetched, written or archived, by the producer''s clock';
COMMENT ON COLUMN news.decisions.source IS 'The source that delivered it';
COMMENT ON COLUMN news.decisions.raw_topic_id IS 'Where it stood on the topic articles.raw: Kafka''s id of that topic';

COMMENT ON VIEW news.sources IS
    'One row a source: what it delivered, and how it is polled. What is not polled (files, HTTP, archives) has null from '
    'state on';
COMMENT ON COLUMN news.sources.source IS 'Its name, as deliveries and feeds.toml have it';
COMMENT ON COLUMN news.sources.deliveries IS 'How many deliveries of it were decided, repeats too';
COMMENT ON COLUMN news.sources.articles IS 'How many different articles these were';
COMMENT ON COLUMN news.sources.copies IS 'How many of these deliveries were an article with another article''s text (kind copy)';
COMMENT ON COLUMN news.sources.first_seen_at IS 'The earliest observed_at of its deliveries; null: none yet';
COMMENT ON COLUMN news.sources.last_seen_at IS 'The latest observed_at of its deliveries, repeats too; null: none yet';
COMMENT ON COLUMN news.sources.kind IS 'How it is polled: feed or sitemap';
COMMENT ON COLUMN news.sources.next_poll_at IS 'When it is to be asked again';
COMMENT ON COLUMN news.sources.why IS 'Why its last poll failed: one of a closed set (timeout, not-found, robots, …); null: it did not';
COMMENT ON COLUMN news.sources.reason IS 'The same in words; an answer that can be read clears it';
COMMENT ON COLUMN news.sources.changed_at IS 'When the producer said this, by its clock';

-- Of an article that is withdrawn they show as little as the other views; of one that is erased there is nothing to show.
CREATE OR REPLACE VIEW news.dead_letters AS
SELECT
    l.id,
    l.stage,
    l.reason,
    CASE WHEN coalesce(w.article_id, p.article_id) IS NULL THEN l.detail ELSE '' END AS detail,
    l.topic,
    l.topic_id,
    l.partition,
    l.record_offset,
    CASE WHEN coalesce(w.article_id, p.article_id) IS NULL THEN l.origin END AS origin,
    CASE WHEN p.article_id IS NULL OR w.article_id IS NOT NULL THEN l.key END AS key,
    CASE WHEN coalesce(w.article_id, p.article_id) IS NULL THEN l.value ELSE '' END AS value,
    l.length,
    l.sha256,
    l.tries,
    l.truncated OR coalesce(w.article_id, p.article_id) IS NOT NULL AS truncated,
    l.failed_at,
    l.worker,
    l.ingested_at
FROM ingest.dead_letters AS l
LEFT JOIN ingest.articles AS w ON w.withdrawn = 'withdrawn' AND l.key = convert_to(w.article_id::text, 'UTF8')
-- Its key need not be the article's id: its place on articles.raw says which one it was.
LEFT JOIN LATERAL (
    SELECT a.article_id
    FROM ingest.decisions AS d JOIN ingest.articles AS a ON a.article_id = d.article_id
    WHERE
        (d.raw_topic_id, d.raw_partition, d.raw_offset) = (l.topic_id, l.partition, l.record_offset)
        AND a.withdrawn = 'withdrawn'
    LIMIT 1
) AS p ON true;

COMMENT ON VIEW news.dead_letters IS
    'One row a record that can never succeed, with the reason and the original bytes: look for what to mend, then feed the '
    'article again';
COMMENT ON COLUMN news.dead_letters.stage IS 'Who could not use it: producers, deduplicate, enrich, reenrich or sink';
COMMENT ON COLUMN news.dead_letters.reason IS
    'Why, one of: empty, not-utf-8, not-json, wrong-shape, no-text, too-large, unreadable, unfetchable, unsupported, '
    'unknown-version, crashed, poison, row-refused';
COMMENT ON COLUMN news.dead_letters.detail IS 'Why, in words for a person';
COMMENT ON COLUMN news.dead_letters.topic IS 'The topic where the record stood; null for what never reached Kafka';
COMMENT ON COLUMN news.dead_letters.topic_id IS 'Kafka''s id of that topic; null as topic is';
COMMENT ON COLUMN news.dead_letters.partition IS 'The partition where it stood; null as topic is';
COMMENT ON COLUMN news.dead_letters.record_offset IS 'The offset at which it stood; null as topic is';
COMMENT ON COLUMN news.dead_letters.origin IS 'Where it came from, if not from Kafka: a path with line, or an address';
COMMENT ON COLUMN news.dead_letters.key IS 'The record''s key, in bytes; null where it had none, or may not be shown';
COMMENT ON COLUMN news.dead_letters.value IS 'The original in bytes, or its beginning where truncated; empty where its article was taken back';
COMMENT ON COLUMN news.dead_letters.tries IS 'How often it was tried before it was given up';
COMMENT ON COLUMN news.dead_letters.failed_at IS 'When it was given up, by the stage''s clock';
COMMENT ON COLUMN news.dead_letters.worker IS 'Which process gave it up: host:pid';
COMMENT ON COLUMN news.dead_letters.ingested_at IS 'When this row was written, by the clock of PostgreSQL';

COMMENT ON VIEW news.balance IS
    'One row an hour, source and kind: how much was decided, stored and given up. `news balance` holds it against Kafka';
COMMENT ON COLUMN news.balance.what IS
    'decision: deliveries decided; version: texts stored; retired: texts that went by age (retention) while their article '
    'stays; dead-letter: records given up';
COMMENT ON COLUMN news.balance.source IS 'The source; of dead letters the stage that gave them up';
COMMENT ON COLUMN news.balance.kind IS 'The kind of decision or version; of dead letters the reason';

-- Who is who across articles: names are one where they are the same words with the same label, or where the watch list
-- gave the same id. Names that are stored already are registered by the same rules (sinks/register.py).

CREATE TABLE ingest.entity_register (
    id            uuid        PRIMARY KEY,
    name          text,
    label         text,
    watch_id      text,
    first_seen_at timestamptz NOT NULL,
    aliases       text[]      NOT NULL,
    CHECK ((watch_id IS NULL) = (name IS NOT NULL AND label IS NOT NULL))
);
COMMENT ON TABLE ingest.entity_register IS
    'All names that any record brought, each once; no row goes, and those that no enrichment names any more are not shown';
COMMENT ON COLUMN ingest.entity_register.id IS
    'A hash of the key (name and label, or watch_id), so the row needs no look-up and no order; it makes the key unique';
COMMENT ON COLUMN ingest.entity_register.name IS
    'The name as compared: NFKC, case folded, single spaces; null where the watch list says who it is';
COMMENT ON COLUMN ingest.entity_register.first_seen_at IS 'The earliest observed_at of a text that names it';
COMMENT ON COLUMN ingest.entity_register.aliases IS 'Every form seen, the names themselves too: the 100 shortest';
CREATE INDEX entity_register_name ON ingest.entity_register (name, label);

-- The default is nobody's id: a sink of an earlier version, which does not write this column, is stopped by the foreign
-- key. NOT NULL alone would look like a bad record to it, and each of its records would become a dead letter.
ALTER TABLE ingest.entities
    ADD COLUMN salience    double precision NOT NULL DEFAULT 0,
    ADD COLUMN aliases     text[]           NOT NULL DEFAULT '{}',
    ADD COLUMN evidence    jsonb            NOT NULL DEFAULT '[]',
    ADD COLUMN register_id uuid             NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';

CREATE FUNCTION pg_temp.normalised(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT left(
        btrim(
            regexp_replace(
                normalize(casefold(normalize(name, NFKC) COLLATE pg_unicode_fast), NFKC), '[[:space:]]+', ' ', 'g'
            ),
            ' '
        ),
        500
    )
$$;

CREATE FUNCTION pg_temp.register_id(name text, label text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(set_byte(set_byte(h, 6, get_byte(h, 6) & 15 | 128), 8, get_byte(h, 8) & 63 | 128), 'hex')::uuid
    FROM substring(sha256(convert_to(E'name\n' || label || E'\n' || name, 'UTF8')) FOR 16) AS h
$$;

CREATE TEMPORARY TABLE known ON COMMIT DROP AS
SELECT name AS form, label, pg_temp.normalised(name) AS name, NULL::uuid AS id
FROM ingest.entities
GROUP BY ingest.entities.name, label;
UPDATE known SET id = pg_temp.register_id(name, label);
CREATE INDEX ON known (form, label);
ANALYZE known;

INSERT INTO ingest.entity_register (id, name, label, first_seen_at, aliases)
SELECT
    k.id,
    min(k.name),
    min(k.label),
    min(s.first_seen_at),
    (array_agg(k.form ORDER BY length(k.form), k.form COLLATE "C"))[:100]
FROM known AS k
JOIN (
    SELECT e.name, e.label, min(v.observed_at) AS first_seen_at
    FROM ingest.entities AS e JOIN ingest.versions AS v ON v.delivery_id = e.delivery_id
    GROUP BY e.name, e.label
) AS s ON s.name = k.form AND s.label = k.label
GROUP BY k.id;

UPDATE ingest.entities AS e SET register_id = k.id
FROM known AS k
WHERE k.form = e.name AND k.label = e.label;

DROP FUNCTION pg_temp.normalised(text);
DROP FUNCTION pg_temp.register_id(text, text);

ALTER TABLE ingest.entities ADD FOREIGN KEY (register_id) REFERENCES ingest.entity_register;
CREATE INDEX entities_register ON ingest.entities (register_id);
-- From a name to the articles that have it, copies too.
CREATE INDEX versions_entities_of ON ingest.versions (entities_of);

COMMENT ON COLUMN ingest.entities.register_id IS 'Who it is across articles; the default is there to stop older sinks';
COMMENT ON COLUMN ingest.entities.salience IS '0 where the enrichment did not say';

CREATE OR REPLACE VIEW news.article_entities AS
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
    v.copy_of,
    e.salience,
    e.aliases,
    r.watch_id AS entity_id,
    e.register_id,
    e.evidence
FROM ingest.shown AS s
JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id AND v.article_id = s.article_id  -- the way from v to s
JOIN ingest.entities AS e ON e.delivery_id = v.entities_of
JOIN ingest.entity_register AS r ON r.id = e.register_id;

COMMENT ON COLUMN news.article_entities.salience IS
    'How much the article is about it, 0 to 1: from title, lead and frequency; 0 where it was not measured';
COMMENT ON COLUMN news.article_entities.aliases IS 'Other forms by which the text calls it';
COMMENT ON COLUMN news.article_entities.entity_id IS 'Its id in the watch list; null where that does not name it';
COMMENT ON COLUMN news.article_entities.register_id IS
    'Who it is across articles, as in news.entities: the same for the same words and label, or the same entity_id';

COMMENT ON COLUMN news.article_entities.evidence IS
    'The sentences that say most clearly what sentiment_label says, where that is not neutral, '
    'each with start, end (code points into text, from 0) and score';

CREATE OR REPLACE VIEW news.mentions AS
SELECT
    v.article_id,
    v.version_id,
    e.name,
    e.label,
    m.text,
    m.start_offset,
    m.end_offset,
    m.raw_start,
    m.raw_end,
    e.register_id
FROM ingest.shown AS s
JOIN ingest.versions AS v ON v.delivery_id = s.delivery_id AND v.article_id = s.article_id
JOIN ingest.entities AS e ON e.delivery_id = v.delivery_id
JOIN ingest.mentions AS m ON m.delivery_id = e.delivery_id AND m.entity = e.entity;

COMMENT ON COLUMN news.mentions.register_id IS 'Who it is across articles, as in news.entities';

CREATE OR REPLACE VIEW news.entities AS
SELECT
    n.name,
    n.label,
    n.articles,
    n.mentions,
    n.sentiment_score,
    r.first_seen_at,
    array_remove(r.aliases, n.name) AS aliases,
    r.watch_id AS entity_id,
    r.id AS register_id
FROM (
    SELECT
        e.register_id,
        mode() WITHIN GROUP (ORDER BY e.name) AS name,
        mode() WITHIN GROUP (ORDER BY e.label) AS label,
        count(DISTINCT s.article_id) AS articles,
        sum(e.count)::bigint AS mentions,
        avg(e.sentiment_score) AS sentiment_score
    FROM ingest.entities AS e
    JOIN ingest.versions AS v ON v.delivery_id = e.delivery_id
    JOIN ingest.shown AS s ON s.article_id = v.article_id AND s.delivery_id = v.delivery_id
    GROUP BY e.register_id
) AS n
JOIN ingest.entity_register AS r ON r.id = n.register_id;

COMMENT ON VIEW news.entities IS
    'Everybody and everything named in the articles as shown, each once; copies are not counted again';
COMMENT ON COLUMN news.entities.name IS 'The name, in the form that most articles have';
COMMENT ON COLUMN news.entities.label IS 'PERSON, ORG, GPE, …: as most articles have it, where the watch list says who it is';
COMMENT ON COLUMN news.entities.sentiment_score IS
    'Mean over its articles of the sentiment towards it, from -1 to 1; null where none was found';
COMMENT ON COLUMN news.entities.first_seen_at IS 'When a text that names it was first observed';
COMMENT ON COLUMN news.entities.aliases IS 'Other forms seen, in articles as they once were too: the 100 shortest';
COMMENT ON COLUMN news.entities.entity_id IS 'Its id in the watch list; null where that does not name it. Never a guess';
COMMENT ON COLUMN news.entities.register_id IS 'Stable id: of (name, label) upper and lower case alike, or of entity_id';

-- The private tables. Every row is a function of the records alone: guarded writes, so that any order of arrival and
-- any repetition end in the same rows.

CREATE TABLE ingest.positions (
    topic_id    uuid        NOT NULL,
    partition   integer     NOT NULL CHECK (partition >= 0),
    topic       text        NOT NULL,
    next_offset bigint      NOT NULL CHECK (next_offset >= 0),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic_id, partition)
);
COMMENT ON TABLE ingest.positions IS
    'How far the sink is in Kafka: written in the transaction that writes the rows, so it is the truth';

CREATE TABLE ingest.decisions (
    raw_topic_id  uuid             NOT NULL,
    raw_partition integer          NOT NULL,
    raw_offset    bigint           NOT NULL,
    delivery_id   uuid             NOT NULL,
    article_id    uuid             NOT NULL,
    version_id    uuid             NOT NULL,
    kind          text             NOT NULL CHECK (kind IN ('new', 'copy', 'revision', 'unchanged', 'redelivery')),
    method        text,
    of_article    uuid,
    of_version    uuid,
    of_delivery   uuid,
    same_text_as  uuid,
    score         double precision,
    threshold     double precision,
    rules_version integer          NOT NULL,
    log_id        uuid             NOT NULL,
    log_offset    bigint           NOT NULL,
    decided_at    timestamptz      NOT NULL,
    observed_at   timestamptz      NOT NULL,
    source        text             NOT NULL,
    PRIMARY KEY (raw_topic_id, raw_partition, raw_offset)
);
COMMENT ON TABLE ingest.decisions IS 'One row a delivery; a replay repeats the same decision and changes nothing';
CREATE INDEX decisions_article ON ingest.decisions (article_id);
CREATE INDEX decisions_delivery ON ingest.decisions (delivery_id);

CREATE TABLE ingest.articles (
    article_id       uuid        PRIMARY KEY,
    current_delivery uuid        NOT NULL,
    observed_at      timestamptz NOT NULL,
    log_id           uuid        NOT NULL,
    log_offset       bigint      NOT NULL,
    decided_at       timestamptz NOT NULL,
    first_seen_at    timestamptz NOT NULL,
    source           text        NOT NULL,
    source_item_id   text,
    url              text,
    title            text        NOT NULL,
    byline           text,
    language         text,
    published_at     timestamptz,
    updated_at       timestamptz,
    notes            text[]      NOT NULL
);
COMMENT ON TABLE ingest.articles IS
    'What the newest delivery says: newest by observed_at, then place in the signature log; redeliveries do not count';
COMMENT ON COLUMN ingest.articles.current_delivery IS
    'Whose text is current: the newest delivery itself, or for an unchanged one the delivery that it equals';
-- Not unique: one page may be known under two ids (own id first, URL later). Hash: a URL may be longer than a B-tree takes.
CREATE INDEX articles_url ON ingest.articles USING hash (url);
CREATE INDEX articles_first_seen ON ingest.articles (first_seen_at, article_id);
CREATE INDEX articles_published ON ingest.articles (published_at, article_id);

CREATE TABLE ingest.versions (
    delivery_id       uuid             PRIMARY KEY,
    article_id        uuid             NOT NULL REFERENCES ingest.articles ON DELETE CASCADE,
    version_id        uuid             NOT NULL,
    kind              text             NOT NULL CHECK (kind IN ('new', 'copy', 'revision')),
    copy_of           uuid,
    of_version        uuid,
    entities_of       uuid,
    observed_at       timestamptz      NOT NULL,
    log_id            uuid             NOT NULL,
    log_offset        bigint           NOT NULL,
    decided_at        timestamptz      NOT NULL,
    source            text             NOT NULL,
    source_item_id    text,
    url               text,
    title             text             NOT NULL,
    byline            text,
    declared_language text,
    published_at      timestamptz,
    updated_at        timestamptz,
    notes             text[]           NOT NULL,
    raw               text,
    text              text             NOT NULL,
    removed           jsonb            NOT NULL,
    content_hash      text             NOT NULL,
    generation        integer,
    language          text,
    sentiment_label   text,
    sentiment_score   double precision,
    targets           jsonb,
    models            jsonb,
    enrich_reason     text,
    enriched_at       timestamptz
);
COMMENT ON TABLE ingest.versions IS
    'One row a stored text; a return to an earlier text has the same version_id and another delivery_id';
COMMENT ON COLUMN ingest.versions.raw IS 'The text as delivered; null where it equals `text`';
COMMENT ON COLUMN ingest.versions.entities_of IS 'Whose entities are this one''s: its own, or for a copy the original''s';
COMMENT ON COLUMN ingest.versions.generation IS 'Which enrichment this is; null for a copy, which has none of its own';
CREATE INDEX versions_article ON ingest.versions (article_id, observed_at, log_offset);
CREATE INDEX versions_copy_of ON ingest.versions (copy_of) WHERE copy_of IS NOT NULL;

CREATE TABLE ingest.entities (
    delivery_id     uuid             NOT NULL REFERENCES ingest.versions ON DELETE CASCADE,
    entity          integer          NOT NULL,
    name            text             NOT NULL,
    label           text             NOT NULL,
    count           integer          NOT NULL,
    sentiment_label text,
    sentiment_score double precision,
    negative        double precision,
    neutral         double precision,
    positive        double precision,
    PRIMARY KEY (delivery_id, entity)
);
COMMENT ON TABLE ingest.entities IS 'The names of one enrichment, numbered in its order; replaced as a whole by the next';
CREATE INDEX entities_name ON ingest.entities (name, label);

CREATE TABLE ingest.mentions (
    delivery_id  uuid    NOT NULL,
    entity       integer NOT NULL,
    mention      integer NOT NULL,
    text         text    NOT NULL,
    start_offset integer NOT NULL,
    end_offset   integer NOT NULL,
    raw_start    integer NOT NULL,
    raw_end      integer NOT NULL,
    PRIMARY KEY (delivery_id, entity, mention),
    FOREIGN KEY (delivery_id, entity) REFERENCES ingest.entities ON DELETE CASCADE
);
COMMENT ON TABLE ingest.mentions IS 'Where the names stand, in the order of the record';

CREATE TABLE ingest.dead_letters (
    id            uuid        PRIMARY KEY,
    stage         text        NOT NULL,
    reason        text        NOT NULL,
    detail        text        NOT NULL,
    topic         text,
    topic_id      uuid,
    partition     bigint,
    record_offset bigint,
    origin        text,
    key           bytea,
    value         bytea       NOT NULL,
    length        bigint      NOT NULL,
    sha256        text        NOT NULL,
    tries         integer     NOT NULL,
    truncated     boolean     NOT NULL,
    failed_at     timestamptz NOT NULL,
    worker        text        NOT NULL,
    ingested_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ingest.dead_letters IS 'What can never succeed, with its reason and the original bytes';
CREATE INDEX dead_letters_failed ON ingest.dead_letters (failed_at);

-- Full-text search: one row an article as readers see it, kept by sql/index_articles.sql. Rows that were stored before
-- are indexed by sinks/backfill.py, in small batches.

-- Extensions go into schema public, as everybody expects them there. Without them search works all the same: unaccent
-- makes "Erdogan" find "Erdoğan", pg_trgm makes parts of titles and names quick to find.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['unaccent', 'pg_trgm'] LOOP
        IF EXISTS (SELECT FROM pg_extension WHERE extname = wanted) THEN
            CONTINUE;
        END IF;
        BEGIN
            EXECUTE format('CREATE EXTENSION %I WITH SCHEMA public', wanted);
        EXCEPTION
            WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR invalid_schema_name
                OR duplicate_object OR unique_violation THEN
                RAISE NOTICE 'Search goes on without the extension %: %', wanted, SQLERRM;
        END;
    END LOOP;
END
$$;

CREATE TABLE ingest.search_languages (
    language      text    PRIMARY KEY,
    configuration text    NOT NULL,
    is_used       boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE ingest.search_languages IS
    'Which text search configuration a language has (first part of BCP 47); all others have ingest.simple, the row ''''';
COMMENT ON COLUMN ingest.search_languages.configuration IS
    'Not regconfig: pg_upgrade refuses tables with such columns';
COMMENT ON COLUMN ingest.search_languages.is_used IS
    'Whether any row of ingest.search may have it: others are not asked for';

INSERT INTO ingest.search_languages (language, configuration)
SELECT l.language, 'ingest.' || l.name
FROM (
    VALUES
    ('', 'simple'), ('ar', 'arabic'), ('hy', 'armenian'), ('eu', 'basque'), ('ca', 'catalan'), ('da', 'danish'),
    ('nl', 'dutch'), ('en', 'english'), ('et', 'estonian'), ('fi', 'finnish'), ('fr', 'french'), ('de', 'german'),
    ('el', 'greek'), ('hi', 'hindi'), ('hu', 'hungarian'), ('id', 'indonesian'), ('ga', 'irish'), ('it', 'italian'),
    ('lt', 'lithuanian'), ('ne', 'nepali'), ('no', 'norwegian'), ('nb', 'norwegian'), ('nn', 'norwegian'),
    ('pt', 'portuguese'), ('ro', 'romanian'), ('ru', 'russian'), ('sr', 'serbian'), ('es', 'spanish'),
    ('sv', 'swedish'), ('ta', 'tamil'), ('tr', 'turkish'), ('yi', 'yiddish')
) AS l (language, name)
WHERE EXISTS (
    SELECT FROM pg_ts_config AS c WHERE c.cfgname = l.name AND c.cfgnamespace = 'pg_catalog'::regnamespace
);

-- Configurations of our own, each a copy of PostgreSQL's with accents taken off first: to_tsvector and ts_headline
-- then see the same words, which folding the text beforehand would not give.
DO $$
DECLARE
    unaccent text := (
        SELECT format('%I.unaccent', n.nspname)
        FROM pg_ts_dict AS d JOIN pg_namespace AS n ON n.oid = d.dictnamespace
        WHERE d.dictname = 'unaccent'
        LIMIT 1
    );
    wanted text;
    stemmer text;
BEGIN
    FOR wanted IN SELECT DISTINCT split_part(configuration, '.', 2) FROM ingest.search_languages LOOP
        EXECUTE format('CREATE TEXT SEARCH CONFIGURATION ingest.%I (COPY = pg_catalog.%I)', wanted, wanted);
        IF unaccent IS NOT NULL THEN
            -- As PostgreSQL has it: words in ASCII are stemmed as English in some languages.
            stemmer := CASE wanted WHEN 'simple' THEN 'simple' ELSE wanted || '_stem' END;
            EXECUTE format(
                'ALTER TEXT SEARCH CONFIGURATION ingest.%I ALTER MAPPING FOR word, hword, hword_part '
                'WITH %s, pg_catalog.%I',
                wanted, unaccent, stemmer
            );
        END IF;
    END LOOP;
END
$$;

CREATE TABLE ingest.search (
    article_id      uuid        PRIMARY KEY REFERENCES ingest.articles ON DELETE CASCADE,
    inputs          bigint      NOT NULL,
    first_seen_at   timestamptz NOT NULL,
    source          text        NOT NULL,
    language        text,
    sentiment_label text,
    configuration   text        NOT NULL,
    title           text        NOT NULL,
    terms           text[]      NOT NULL,
    vector          tsvector    NOT NULL
);
COMMENT ON TABLE ingest.search IS
    'What search knows of each article as news.articles shows it; everything here can be made again from the other '
    'tables';
COMMENT ON COLUMN ingest.search.inputs IS 'A hash of all that the row was made from: equal, and nothing is to be done';
COMMENT ON COLUMN ingest.search.title IS 'Its first 1,000 characters';
COMMENT ON COLUMN ingest.search.terms IS
    's:source, l:language (with and without what follows a hyphen), p:sentiment, e:name for each name, see '
    'ingest.name_term, and t0:…t5: the stretches of time that first_seen_at lies in, see ingest.time_terms';
-- Each search reads a thousand vectors: beside the rest of the row they are one page each, in a TOAST table three; and
-- compressing makes them hardly smaller.
ALTER TABLE ingest.search SET (toast_tuple_target = 8160);
ALTER TABLE ingest.search ALTER COLUMN vector SET STORAGE EXTERNAL, ALTER COLUMN terms SET STORAGE EXTERNAL;

-- Filters and time stand in the index of the words, so that each question is answered inside it, and rows are read
-- that are wanted only. What waits to be sorted in is read by every search: not too much of it, though more is cheaper
-- to write.
CREATE INDEX search_words ON ingest.search USING gin (vector, terms) WITH (gin_pending_list_limit = 4096);
CREATE INDEX search_seen ON ingest.search (first_seen_at, article_id);

CREATE FUNCTION ingest.alias_lines(aliases text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT E'\n' || lower(array_to_string(aliases, E'\n') COLLATE pg_catalog.pg_unicode_fast) || E'\n'
$$;

DO $$
DECLARE
    opclass text := (
        SELECT format('%I.gin_trgm_ops', n.nspname)
        FROM pg_opclass AS o JOIN pg_namespace AS n ON n.oid = o.opcnamespace
        WHERE o.opcname = 'gin_trgm_ops'
        LIMIT 1
    );
BEGIN
    IF opclass IS NOT NULL THEN
        EXECUTE format('CREATE INDEX search_title ON ingest.search USING gin (title %s)', opclass);
        EXECUTE format(
            'CREATE INDEX entity_register_aliases ON ingest.entity_register USING gin (ingest.alias_lines(aliases) %s)',
            opclass
        );
    END IF;
END
$$;

-- 62 bits of a hash: as good as all of it, and 15 of them are a third as long.
CREATE FUNCTION ingest.name_term(register_id uuid) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT 'e:' || right(register_id::text, 17)
$$;

-- A stretch of t0 is 450 seconds, one of each next level 16 of those before: t5 is 15 years.
CREATE FUNCTION ingest.stretch(moment timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT floor(extract(EPOCH FROM moment) / 450)::bigint
$$;

CREATE FUNCTION ingest.time_terms(moment timestamptz) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ARRAY[
        't0:' || n, 't1:' || (n >> 4), 't2:' || (n >> 8), 't3:' || (n >> 12), 't4:' || (n >> 16), 't5:' || (n >> 20)
    ]
    FROM ingest.stretch(moment) AS n
$$;

-- The fewest stretches that make up those of t0 from `first` to `last`.
CREATE FUNCTION ingest.time_cover(first bigint, last bigint) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    found text[] := '{}';
    level integer;
BEGIN
    WHILE first <= last LOOP
        level := 0;
        WHILE level < 5 AND first & ((1::bigint << 4 * (level + 1)) - 1) = 0
            AND first + (1::bigint << 4 * (level + 1)) - 1 <= last
        LOOP
            level := level + 1;
        END LOOP;
        found := found || ('t' || level || ':' || (first >> 4 * level));
        first := first + (1::bigint << 4 * level);
    END LOOP;
    RETURN found;
END
$$;

-- What words are: accents do not count (unaccent, in the configuration), and neither do _ and <. PostgreSQL's parser
-- takes them for the beginning of file names and tags, and looks to the end of the text at each.
CREATE FUNCTION ingest.plain_words(words text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    -- To look for them first is quicker: they are rare.
    SELECT CASE WHEN strpos(words, '_') + strpos(words, '<') > 0 THEN translate(words, '_<', '  ') ELSE words END
$$;

CREATE FUNCTION ingest.search_vector(configuration regconfig, title text, byline text, body text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    -- More of a text than this is not looked at: nobody waits for the sink while it parses.
    plain text := ingest.plain_words(left(body, 250000));
    -- The parser takes runs of signs for addresses and numbers, and looks to their end at each place: a text full of
    -- them goes to it in small pieces.
    piece_length integer := CASE
        WHEN 8 * regexp_count(plain, '[-./~:@&#+=?%]') > length(plain) THEN 500
        ELSE 10000
    END;
    -- The lead: the first paragraph, if that is a short one; else what 400 characters hold.
    lead integer := strpos(left(plain, 600), E'\n');
    found tsvector;
    place integer;
    piece text;
BEGIN
    IF lead < 40 THEN
        lead := 401 - strpos(reverse(left(plain, 400)), ' ');
    END IF;
    found := setweight(to_tsvector(configuration, ingest.plain_words(left(title, 2000))), 'A')
        || setweight(
            to_tsvector(configuration, ingest.plain_words(left(coalesce(byline, ''), 2000)))
            || to_tsvector(configuration, left(plain, lead)),
            'B'
        )
        || setweight(to_tsvector(configuration, substr(plain, lead + 1, piece_length)), 'D');
    place := lead + piece_length + 1;
    IF place > length(plain) THEN
        RETURN found;
    END IF;
    -- Long texts in pieces: the parser's time grows with the square of some, and a tsvector holds 1 MB, so as much of
    -- the text as fits. A word on the border of two pieces is cut.
    BEGIN
        WHILE place <= length(plain) LOOP
            piece := substr(plain, place, piece_length);
            found := found || setweight(to_tsvector(configuration, piece), 'D');
            place := place + piece_length;
        END LOOP;
    EXCEPTION
        WHEN program_limit_exceeded THEN
            NULL;
    END;
    RETURN found;
END
$$;

-- Names: as register.py and migration 0006 compare them.
CREATE FUNCTION ingest.normalised_name(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT left(
        btrim(
            regexp_replace(
                normalize(casefold(normalize(name, NFKC) COLLATE pg_catalog.pg_unicode_fast), NFKC),
                '[[:space:]]+', ' ', 'g'
            ),
            ' '
        ),
        500
    )
$$;

-- Whether an article that is shown has this name; a copy has those of the text that it repeats.
CREATE FUNCTION ingest.is_named(wanted uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM FROM ingest.entities AS e
    JOIN ingest.versions AS v ON v.entities_of = e.delivery_id
    JOIN ingest.shown AS s ON s.article_id = v.article_id AND s.delivery_id = v.delivery_id
    WHERE e.register_id = wanted
    LIMIT 1;
    RETURN FOUND;
END
$$;

CREATE FUNCTION news.find_names(name text, most integer DEFAULT 100)
RETURNS TABLE (register_id uuid, is_exact boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    wanted text := ingest.normalised_name(left(find_names.name, 1000));
    part text;
BEGIN
    IF most IS NULL OR most < 1 THEN
        RAISE EXCEPTION 'most is a number of names above 0' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF coalesce(wanted, '') = '' THEN
        RETURN;
    END IF;
    part := regexp_replace(lower(btrim(left(find_names.name, 1000)) COLLATE pg_unicode_fast), '([\\%_])', '\\\1', 'g');
    -- The register keeps names for good; whether an article that is shown has one is asked name by name, of as many as
    -- are given out.
    RETURN QUERY
        SELECT f.id, true
        FROM (
            SELECT r.id FROM ingest.entity_register AS r WHERE r.name = wanted
            UNION
            SELECT r.id FROM ingest.entity_register AS r
            WHERE r.watch_id IS NOT NULL AND (
                r.watch_id = find_names.name
                OR ingest.alias_lines(r.aliases) LIKE E'%\n' || part || E'\n%'
            )
        ) AS f
        WHERE ingest.is_named(f.id)
        LIMIT most;
    IF NOT FOUND THEN
        RETURN QUERY
            SELECT f.id, false
            FROM (
                SELECT r.id, length(coalesce(r.name, r.aliases[1])) AS size FROM ingest.entity_register AS r
                WHERE ingest.alias_lines(r.aliases) LIKE '%' || part || '%'
                ORDER BY size, r.id
                OFFSET 0  -- sorted first, then asked
            ) AS f
            WHERE ingest.is_named(f.id)
            ORDER BY f.size, f.id
            LIMIT most;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION news.find_names(text, integer) FROM PUBLIC;
CREATE INDEX entity_register_watch ON ingest.entity_register (watch_id) WHERE watch_id IS NOT NULL;
COMMENT ON FUNCTION news.find_names(text, integer) IS
    'Who in the articles as shown is called so, as register_id of news.entities: those of exactly this name (upper or lower case alike) or with '
    'this entity_id, is_exact; if there are none, those with the name as a part of any of their forms, the shortest '
    'names first';

CREATE VIEW news.titles AS
SELECT article_id, title, source, language, sentiment_label, first_seen_at
FROM ingest.search;
COMMENT ON VIEW news.titles IS
    'One row an article of news.articles, from one table: quick for lists and, by an index of trigrams, for parts of '
    'titles (title ILIKE ''%flood%'', three letters or more)';
COMMENT ON COLUMN news.titles.article_id IS 'The article, as in news.articles';
COMMENT ON COLUMN news.titles.title IS 'Headline, its first 1,000 characters; empty where there is none';
COMMENT ON COLUMN news.titles.source IS 'Who delivered it last, as the producer names it';
COMMENT ON COLUMN news.titles.language IS 'Language of the text (BCP 47) as detected, else as the source says';
COMMENT ON COLUMN news.titles.sentiment_label IS
    'negative, neutral or positive; null where no model could run; for a copy that of its original';
COMMENT ON COLUMN news.titles.first_seen_at IS 'When it was first observed';

CREATE TYPE news.search_result AS (
    article_id      uuid,
    title           text,
    headline        text,
    source          text,
    url             text,
    language        text,
    published_at    timestamptz,
    first_seen_at   timestamptz,
    sentiment_label text,
    sentiment_score double precision,
    copy_of         uuid,
    score           double precision,
    is_cut          boolean,
    after           text
);
COMMENT ON TYPE news.search_result IS 'One article that news.search found';
COMMENT ON COLUMN news.search_result.article_id IS 'The article, as in news.articles';
COMMENT ON COLUMN news.search_result.title IS 'Headline; empty where there is none. Text of strangers: not HTML';
COMMENT ON COLUMN news.search_result.headline IS
    'What the text says round the words, as HTML: &, < and > of the text are escaped, the words stand in '
    '<mark>…</mark>, there is no other markup; without words the beginning of the text';
COMMENT ON COLUMN news.search_result.source IS 'Who delivered it last, as the producer names it';
COMMENT ON COLUMN news.search_result.url IS 'Address as delivered; null where there is none';
COMMENT ON COLUMN news.search_result.language IS 'Language of the text (BCP 47)';
COMMENT ON COLUMN news.search_result.published_at IS 'When it was published, as the source says';
COMMENT ON COLUMN news.search_result.first_seen_at IS 'When it was first observed; since and until are of this time';
COMMENT ON COLUMN news.search_result.sentiment_label IS 'negative, neutral or positive';
COMMENT ON COLUMN news.search_result.sentiment_score IS 'Sentiment from -1 (negative) to 1 (positive)';
COMMENT ON COLUMN news.search_result.copy_of IS 'The article whose text this one repeats; null where it stands alone';
COMMENT ON COLUMN news.search_result.score IS
    'How well it fits: words in the title count most, then lead and byline, then the text, less in a long one. For '
    'comparing within one search only; null without words';
COMMENT ON COLUMN news.search_result.is_cut IS
    'Whether more than 1,000 articles fit: the best of the newest 1,000 come first, then the best of the 1,000 before, '
    '…; null without words';
COMMENT ON COLUMN news.search_result.after IS
    'Given as after to the same search, the next page begins behind this row, whatever came meanwhile';

-- Articles that fit, newest first, from before `most_seen`, `most_id` down to `least_seen`, `least_id`, at most so
-- many; as places in the table, which hold for the statement that asks. Time is walked in windows from the newest on,
-- each as long as what the ones before found makes likely: a common word is not looked up in all articles, for a rare
-- one there are few windows.
CREATE FUNCTION ingest.newest_places(
    conditions text, queries tsquery[], configurations text[], terms text[], entities text[],
    most_seen timestamptz, most_id uuid, least_seen timestamptz, least_id uuid, most integer
) RETURNS tid[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    first_window CONSTANT integer := 1500;
    moment timestamptz;
    whole tsquery := (SELECT string_agg('(' || q::text || ')', '|')::tsquery FROM unnest(queries) AS q);
    oldest bigint;
    top bigint;
    bottom bigint;
    places tid[] := '{}';
    found tid[];
    width bigint;
    missing integer;
    counted integer;
    growth double precision;
BEGIN
    SELECT s.first_seen_at INTO moment FROM ingest.search AS s
    WHERE s.first_seen_at <= most_seen ORDER BY s.first_seen_at DESC LIMIT 1;
    top := ingest.stretch(moment);
    SELECT s.first_seen_at INTO moment FROM ingest.search AS s
    WHERE s.first_seen_at >= least_seen ORDER BY s.first_seen_at LIMIT 1;
    oldest := ingest.stretch(moment);
    IF top IS NULL OR oldest IS NULL OR oldest > top THEN
        RETURN places;
    END IF;
    SELECT s.first_seen_at INTO moment FROM ingest.search AS s
    WHERE s.first_seen_at <= most_seen ORDER BY s.first_seen_at DESC OFFSET first_window LIMIT 1;
    width := top - coalesce(ingest.stretch(moment), oldest) + 1;
    LOOP
        missing := most - cardinality(places);
        bottom := greatest(top - width + 1, oldest);
        EXECUTE format(
            'WITH hit AS MATERIALIZED (
                SELECT s.ctid AS place, s.first_seen_at, s.article_id
                FROM ingest.search AS s
                WHERE s.terms && $1 %s
            )
            SELECT array_agg(l.place), count(*)
            FROM (
                SELECT h.place
                FROM hit AS h
                WHERE (h.first_seen_at, h.article_id) < ($7, $8) AND (h.first_seen_at, h.article_id) >= ($9, $10)
                ORDER BY h.first_seen_at DESC, h.article_id DESC
                LIMIT $6
            ) AS l',
            conditions
        )
        INTO found, counted
        USING ingest.time_cover(bottom, top), whole, terms, entities, queries, missing, most_seen, most_id, least_seen,
            least_id, configurations;
        places := places || coalesce(found, '{}');
        EXIT WHEN counted >= missing OR bottom <= oldest;
        top := bottom - 1;
        growth := CASE WHEN counted = 0 THEN 64 ELSE least(64, 1.2 * (missing - counted) / counted + 0.02) END;
        width := least(ceil(width * growth), top - oldest + 1);
    END LOOP;
    RETURN places;
END
$$;

-- The row where a page ended, for another time: opaque to readers, and nothing secret is in it.
CREATE FUNCTION ingest.sealed_token(parts text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT translate(encode(convert_to(array_to_string(parts, '/', ''), 'UTF8'), 'base64'), E'+/=\n', '-_')
$$;

CREATE FUNCTION ingest.opened_token(token text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT convert_from(
        decode(
            rpad(translate(left(token, 1000), '-_', '+/'), (length(left(token, 1000)) + 3) / 4 * 4, '='), 'base64'
        ),
        'UTF8'
    )
$$;

-- Marks are control characters until all else is escaped; and what looks like a tag would be left out.
CREATE FUNCTION ingest.unmarked(words text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT translate(words, E'\x02\x03\x04\x05\n<>', E'     \x04\x05')
$$;

-- What the text says round the words, as HTML.
CREATE FUNCTION ingest.headline(configuration regconfig, body text, query tsquery) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    options CONSTANT text :=
        E'StartSel="\x02", StopSel="\x03", MaxFragments=2, MaxWords=25, MinWords=8, ShortWord=0, '
        'FragmentDelimiter=" … "';
    stem text;
    place integer;
    found text;
BEGIN
    IF query IS NOT NULL AND length(body) <= 200 THEN
        found := ts_headline(
            configuration, ingest.unmarked(body), query, options || ', HighlightAll=true, MaxFragments=0'
        );
    ELSIF query IS NOT NULL THEN
        -- Parsing costs as much as is parsed: first round the place where the longest of the stems begins a word.
        IF strpos(query::text, '<') = 0 THEN
            SELECT m.stem[1] INTO stem
            FROM regexp_matches(querytree(query), '''([^'']+)''', 'g') AS m (stem)
            ORDER BY length(m.stem[1]) DESC LIMIT 1;
            place := strpos(lower(body), ' ' || stem);
            IF place > 0 THEN
                found := ts_headline(
                    configuration, ingest.unmarked(substr(body, greatest(1, place - 150), 500)), query, options
                );
            END IF;
        END IF;
        IF found IS NULL OR strpos(found, E'\x02') = 0 THEN
            found := ts_headline(configuration, ingest.unmarked(left(body, 2500)), query, options);
        END IF;
    END IF;
    IF found IS NULL OR strpos(found, E'\x02') = 0 THEN
        found := ingest.unmarked(left(body, 200));  -- the words stand in the title, or far down in another form
    END IF;
    RETURN replace(
        replace(
            replace(replace(replace(found, '&', '&amp;'), E'\x04', '&lt;'), E'\x05', '&gt;'),
            E'\x02', '<mark>'
        ),
        E'\x03', '</mark>'
    );
END
$$;

CREATE FUNCTION news.search(
    words text,
    source text DEFAULT NULL,
    entity text DEFAULT NULL,
    language text DEFAULT NULL,
    since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL,
    sentiment text DEFAULT NULL,
    "limit" integer DEFAULT 20,
    after text DEFAULT NULL
) RETURNS SETOF news.search_result
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off
SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET extra_float_digits = 1 AS $$
#variable_conflict use_column
DECLARE
    ranked CONSTANT integer := 1000;
    given CONSTANT bigint := hashtextextended(
        jsonb_build_array(words, source, entity, language, since, until, sentiment)::text, 0
    );
    asked text;
    configurations text[];
    queries tsquery[];
    wished tsquery[];  -- without what shall not be there, which leaves nothing to rank by
    terms text[] := '{}';
    entities text[];
    conditions text := '';
    parts text[];
    -- A block is what is ranked together: from its newest article to its oldest, null while it is not known.
    top_seen timestamptz := least(search.until, '9999-12-31 23:59:59+00') - interval '1 microsecond';
    top_id uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    bottom_seen timestamptz;
    bottom_id uuid;
    least_seen timestamptz := greatest(search.since, '0001-01-01 00:00:00+00');
    last_score real;
    last_seen timestamptz;
    last_id uuid;
    places tid[];
    is_cut boolean := false;
    wanted integer := coalesce(search."limit", 20);
    given_out integer;
BEGIN
    IF wanted < 1 OR wanted > 1000 THEN
        RAISE EXCEPTION 'limit is a number from 1 to 1000' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF octet_length(search.words) > 4000 THEN
        RAISE EXCEPTION 'words are longer than 4000 bytes' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF search.sentiment NOT IN ('negative', 'neutral', 'positive') THEN
        RAISE EXCEPTION 'sentiment is negative, neutral or positive' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    asked := nullif(btrim(ingest.plain_words(search.words), E' \t\r\n'), '');

    -- 1. What is asked for, in each configuration that any row has: a row is held against the words as its own language
    -- has them, and the index against all of these.
    IF asked IS NOT NULL THEN
        SELECT array_agg(c.configuration), array_agg(c.query) INTO configurations, queries
        FROM (
            SELECT l.configuration, websearch_to_tsquery(l.configuration::regconfig, asked) AS query
            FROM ingest.search_languages AS l
            WHERE l.is_used AND (
                search.language IS NULL
                OR l.configuration = (
                    SELECT k.configuration FROM ingest.search_languages AS k
                    WHERE k.language IN (lower(split_part(search.language, '-', 1)), '')
                    ORDER BY k.language DESC LIMIT 1
                )
            )
            GROUP BY l.configuration
        ) AS c
        WHERE numnode(c.query) > 0;
        IF queries IS NULL THEN
            RETURN;
        END IF;
        wished := ARRAY(
            SELECT CASE WHEN querytree(q) IN ('', 'T') THEN q ELSE querytree(q)::tsquery END
            FROM unnest(queries) WITH ORDINALITY AS each (q, place) ORDER BY place
        );
        conditions := ' AND s.vector @@ $2';
        IF cardinality(queries) <> 1 AND (SELECT count(DISTINCT q) > 1 FROM unnest(queries) AS q) THEN
            conditions := conditions || ' AND s.vector @@ ($5)[array_position($11, s.configuration)]';
        END IF;
    END IF;
    IF search.source IS NOT NULL THEN
        terms := terms || ('s:' || search.source);
    END IF;
    IF search.language IS NOT NULL THEN
        terms := terms || ('l:' || lower(search.language));
    END IF;
    IF search.sentiment IS NOT NULL THEN
        terms := terms || ('p:' || search.sentiment);
    END IF;
    IF terms <> '{}' THEN
        conditions := conditions || ' AND s.terms @> $3';
    END IF;
    IF search.entity IS NOT NULL THEN
        IF pg_input_is_valid(search.entity, 'uuid') THEN
            entities := ARRAY[ingest.name_term(search.entity::uuid)];
        ELSE
            entities := ARRAY(SELECT ingest.name_term(n.register_id) FROM news.find_names(search.entity, 100) AS n);
        END IF;
        conditions := conditions || ' AND s.terms && $4';
    END IF;

    -- 2. Where the page before ended.
    IF search.after IS NOT NULL THEN
        BEGIN
            parts := string_to_array(ingest.opened_token(search.after), '/', '');
            IF cardinality(parts) <> 9 OR parts[1]::bigint IS NULL OR (parts[4] IS NULL) <> (parts[5] IS NULL) THEN
                RAISE invalid_parameter_value;
            END IF;
            top_seen := least(parts[2]::timestamptz, '9999-12-31 23:59:59+00');
            top_id := parts[3]::uuid;
            bottom_seen := parts[4]::timestamptz;
            bottom_id := parts[5]::uuid;
            last_score := parts[6]::real;
            last_seen := parts[7]::timestamptz;
            last_id := parts[8]::uuid;
            is_cut := parts[9]::boolean;
        EXCEPTION
            WHEN data_exception OR null_value_not_allowed THEN
                RAISE EXCEPTION 'after is nothing that news.search gave' USING ERRCODE = 'invalid_parameter_value';
        END;
        IF parts[1]::bigint <> given OR last_seen IS NULL OR last_id IS NULL OR last_score IS NULL OR top_seen IS NULL
            OR top_id IS NULL OR is_cut IS NULL
        THEN
            RAISE EXCEPTION 'after belongs to another search: words and filters have to be the same'
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF asked IS NULL THEN
            top_seen := last_seen;
            top_id := last_id;
            last_score := NULL;
        END IF;
    END IF;

    -- 3. Block by block, mostly one: its articles, ranked, behind the row where the page before ended.
    LOOP
        places := ingest.newest_places(
            conditions, queries, configurations, terms, entities, top_seen, top_id,
            coalesce(bottom_seen, least_seen), coalesce(bottom_id, '00000000-0000-0000-0000-000000000000'),
            -- In a block that is known there may be more by now, observed late.
            CASE WHEN asked IS NULL THEN wanted WHEN bottom_seen IS NULL THEN ranked + 1 ELSE 2 * ranked END
        );
        EXIT WHEN places = '{}';
        IF asked IS NOT NULL AND last_score IS NULL THEN
            SELECT s.first_seen_at + interval '1 microsecond', '00000000-0000-0000-0000-000000000000'
            INTO top_seen, top_id
            FROM ingest.search AS s WHERE s.ctid = places[1];
        END IF;
        IF asked IS NOT NULL AND bottom_seen IS NULL AND cardinality(places) > ranked THEN
            is_cut := true;
            places := places[:ranked];
            SELECT s.first_seen_at, s.article_id INTO bottom_seen, bottom_id
            FROM ingest.search AS s WHERE s.ctid = places[ranked];
        END IF;
        RETURN QUERY
            WITH scored AS MATERIALIZED (
                SELECT
                    s.article_id, s.first_seen_at, s.configuration, s.source, s.language, s.sentiment_label,
                    CASE
                        WHEN asked IS NULL THEN 0::real
                        ELSE ts_rank(s.vector, wished[array_position(configurations, s.configuration)], 1)
                    END AS score
                FROM ingest.search AS s
                WHERE s.ctid = ANY(places)
            ),

            page AS MATERIALIZED (
                SELECT *
                FROM scored AS c
                WHERE last_score IS NULL OR (c.score, c.first_seen_at, c.article_id) < (last_score, last_seen, last_id)
                ORDER BY c.score DESC, c.first_seen_at DESC, c.article_id DESC
                LIMIT wanted
            )

            SELECT
                p.article_id,
                a.title,
                ingest.headline(
                    p.configuration::regconfig, a.text, queries[array_position(configurations, p.configuration)]
                ),
                p.source,
                a.url,
                p.language,
                a.published_at,
                p.first_seen_at,
                p.sentiment_label,
                a.sentiment_score,
                a.copy_of,
                CASE WHEN asked IS NOT NULL THEN p.score::double precision END,
                CASE WHEN asked IS NOT NULL THEN is_cut END,
                ingest.sealed_token(
                    ARRAY[
                        given::text, top_seen::text, top_id::text, bottom_seen::text, bottom_id::text, p.score::text,
                        p.first_seen_at::text, p.article_id::text, is_cut::text
                    ]
                )
            FROM page AS p
            JOIN news.articles AS a ON a.article_id = p.article_id
            ORDER BY p.score DESC, p.first_seen_at DESC, p.article_id DESC;
        GET DIAGNOSTICS given_out = ROW_COUNT;
        wanted := wanted - given_out;
        EXIT WHEN wanted <= 0 OR bottom_seen IS NULL;
        top_seen := bottom_seen;
        top_id := bottom_id;
        bottom_seen := NULL;
        bottom_id := NULL;
        last_score := NULL;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION
    news.search(text, text, text, text, timestamptz, timestamptz, text, integer, text) FROM PUBLIC;
COMMENT ON FUNCTION news.search(text, text, text, text, timestamptz, timestamptz, text, integer, text) IS
    'Articles with these words, best first: words as in a web search (all of them; "a phrase"; or; -without), in the '
    'forms of each article''s language, accents aside; without words all articles, newest first. Ranking looks at the '
    'newest 1,000 that fit, see is_cut. source: exactly so; entity: a name, or the register_id or entity_id of '
    'news.entities; language: de, or de-AT; since (then or later) and until (before): of first_seen_at; sentiment: '
    'negative, neutral or positive; limit: 1 to 1000; after: as the last row of the page before has it. SQLSTATE 22023 '
    'for what is none of these';

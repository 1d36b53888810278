-- Articles by a part of their title or of a name, newest first, for people; news.search looks into the texts. A reader calls
-- it, and it reads the index of search in the name of its owner.

CREATE FUNCTION news.find_articles(
    words     text[]      DEFAULT '{}',
    entity    text        DEFAULT NULL,
    source    text        DEFAULT NULL,
    language  text        DEFAULT NULL,
    since     timestamptz DEFAULT NULL,
    until     timestamptz DEFAULT NULL,
    sentiment text        DEFAULT NULL,
    copies    boolean     DEFAULT NULL,
    after     uuid        DEFAULT NULL,
    most      integer     DEFAULT 20
)
RETURNS TABLE (article_id uuid, first_seen_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    conditions text := 'true';
    word text;
    names text[];
    place ingest.search;
BEGIN
    FOREACH word IN ARRAY coalesce(words, '{}') LOOP
        SELECT array_agg(ingest.name_term(n.register_id)) INTO names FROM news.find_names(word) AS n;
        -- The values stand in the query itself: only so does the planner see which index helps.
        conditions := conditions || format(
            CASE
                WHEN names IS NULL THEN ' AND s.title ILIKE %1$L'
                ELSE ' AND (s.title ILIKE %1$L OR s.terms && %2$L::text[])'
            END,
            '%' || regexp_replace(word, '([\\%_])', '\\\1', 'g') || '%', names
        );
    END LOOP;
    IF entity IS NOT NULL THEN
        SELECT coalesce(array_agg(ingest.name_term(n.register_id)), '{}') INTO names FROM news.find_names(entity) AS n;
        conditions := conditions || format(' AND s.terms && %L::text[]', names);
    END IF;
    names := array_remove(ARRAY['s:' || source, 'l:' || lower(language), 'p:' || sentiment], NULL);
    IF names <> '{}' THEN
        conditions := conditions || format(' AND s.terms @> %L::text[]', names);
    END IF;
    IF since IS NOT NULL THEN
        conditions := conditions || format(' AND s.first_seen_at >= %L::timestamptz', since);
    END IF;
    IF until IS NOT NULL THEN
        conditions := conditions || format(' AND s.first_seen_at < %L::timestamptz', until);
    END IF;
    IF copies IS NOT NULL THEN
        conditions := conditions || format(
            ' AND EXISTS (
                SELECT FROM ingest.shown AS n JOIN ingest.versions AS v ON v.delivery_id = n.delivery_id
                WHERE n.article_id = s.article_id AND (v.copy_of IS NOT NULL) = %L
            )',
            copies
        );
    END IF;
    IF after IS NOT NULL THEN
        SELECT * INTO place FROM ingest.search AS s WHERE s.article_id = after;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no article % to go on behind', after USING ERRCODE = 'no_data_found';
        END IF;
        conditions := conditions || format(
            ' AND (s.first_seen_at, s.article_id) < (%L::timestamptz, %L::uuid)', place.first_seen_at, after
        );
    END IF;
    RETURN QUERY EXECUTE
        'SELECT s.article_id, s.first_seen_at FROM ingest.search AS s WHERE ' || conditions
        || ' ORDER BY s.first_seen_at DESC, s.article_id DESC LIMIT ' || greatest(coalesce(most, 20), 0);
END
$$;
COMMENT ON FUNCTION news.find_articles(text[], text, text, text, timestamptz, timestamptz, text, boolean, uuid, integer) IS
    'The articles seen first most recently, newest first, by article_id: each of words stands in the title or in a name, '
    'entity is a name or a part of one (news.find_names), upper or lower case alike; language with or without what '
    'follows a hyphen; since <= first_seen_at < until; copies: true only copies, false none; behind the article after; '
    'at most so many. news.search looks into the texts too';

-- Both views as they were, joined so that the planner knows how many rows come out. Two equalities, of which the second
-- follows from the first for one version of each article, let it expect one row of all articles; it then went through the
-- whole register once for each name. Of a CASE it expects that it holds for every other row.
-- What says more than a name alone stands behind a CASE, as in 0008; name itself is looked up by its index.
CREATE OR REPLACE VIEW news.article_entities AS
SELECT
    s.article_id,
    CASE WHEN v.article_id = s.article_id AND e.delivery_id = v.entities_of THEN v.version_id END AS version_id,
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
    CASE WHEN v.article_id = s.article_id AND e.delivery_id = v.entities_of THEN e.aliases END AS aliases,
    r.watch_id AS entity_id,
    e.register_id,
    CASE WHEN v.article_id = s.article_id AND e.delivery_id = v.entities_of THEN e.evidence END AS evidence
FROM ingest.shown AS s
JOIN ingest.versions AS v
    ON v.article_id = s.article_id AND CASE WHEN v.delivery_id = s.delivery_id THEN true ELSE false END
JOIN ingest.entities AS e ON e.delivery_id = v.entities_of
JOIN ingest.entity_register AS r ON r.id = e.register_id;

CREATE OR REPLACE VIEW news.mentions AS
SELECT
    s.article_id,
    CASE WHEN v.article_id = s.article_id AND m.delivery_id = v.delivery_id THEN v.version_id END AS version_id,
    e.name,
    e.label,
    CASE WHEN v.article_id = s.article_id AND m.delivery_id = v.delivery_id THEN m.text END AS text,
    m.start_offset,
    m.end_offset,
    m.raw_start,
    m.raw_end,
    e.register_id
FROM ingest.shown AS s
JOIN ingest.versions AS v
    ON v.article_id = s.article_id AND CASE WHEN v.delivery_id = s.delivery_id THEN true ELSE false END
JOIN ingest.entities AS e ON e.delivery_id = v.delivery_id
JOIN ingest.mentions AS m ON m.delivery_id = e.delivery_id AND m.entity = e.entity;

-- As it was. It counts over all articles before it is joined with anything: here the barrier costs nothing.
CREATE OR REPLACE VIEW news.entities WITH (security_barrier) AS
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

-- A reader in plain SQL: each article as it is now, and one line for each change, each exactly once, in a schema of its
-- own beside schema news. An administrator makes the login and the schema, then the login does the rest:
--
--     CREATE ROLE bob LOGIN PASSWORD '…' IN ROLE news_reader;
--     CREATE SCHEMA mine AUTHORIZATION bob;
--
--     psql -f take_changes.sql                    once
--     psql -c 'CALL mine.take_changes()'          from cron, a systemd timer, …; two at once do no harm

CREATE TABLE IF NOT EXISTS mine.position (
    the_one boolean PRIMARY KEY DEFAULT true CHECK (the_one),
    change  bigint  NOT NULL
);
INSERT INTO mine.position (change) VALUES (0) ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS mine.articles (
    article_id      uuid PRIMARY KEY,
    source          text NOT NULL,
    title           text NOT NULL,
    text            text NOT NULL,
    sentiment_score double precision,
    copy_of         uuid
);

CREATE TABLE IF NOT EXISTS mine.happened (
    change      bigint PRIMARY KEY,
    kind        text NOT NULL,
    article_id  uuid NOT NULL,
    delivery_id uuid
);

CREATE OR REPLACE PROCEDURE mine.take_changes(most integer DEFAULT 1000) LANGUAGE plpgsql AS $$
DECLARE
    done bigint;
    next bigint;
BEGIN
    LOOP
        SELECT change INTO STRICT done FROM mine.position FOR UPDATE;  -- a second run waits here
        BEGIN
            -- One statement sees one moment, so that the changes and the articles belong together.
            WITH changes AS MATERIALIZED (
                SELECT change, kind, article_id, delivery_id FROM news.read_changes(done, most)
            ),

            found AS MATERIALIZED (
                SELECT article_id, source, title, text, sentiment_score, copy_of
                FROM news.articles
                WHERE article_id = ANY(ARRAY(SELECT article_id FROM changes))
            ),

            told AS (
                INSERT INTO mine.happened (change, kind, article_id, delivery_id)
                SELECT change, kind, article_id, delivery_id FROM changes
            ),

            gone AS (
                DELETE FROM mine.articles
                WHERE article_id IN (SELECT article_id FROM changes)
                AND article_id NOT IN (SELECT article_id FROM found)
            ),

            taken AS (
                INSERT INTO mine.articles AS a (article_id, source, title, text, sentiment_score, copy_of)
                SELECT article_id, source, title, text, sentiment_score, copy_of FROM found
                ON CONFLICT (article_id) DO UPDATE SET
                    source = excluded.source,
                    title = excluded.title,
                    text = excluded.text,
                    sentiment_score = excluded.sentiment_score,
                    copy_of = excluded.copy_of
            )

            UPDATE mine.position SET change = newest.change
            FROM (SELECT max(change) AS change FROM changes) AS newest
            WHERE newest.change IS NOT NULL
            RETURNING newest.change INTO next;
        EXCEPTION
            -- No longer kept, or ahead of a database that was restored: all articles as they are, and the number of the
            -- last change that is in them, again in one statement.
            WHEN SQLSTATE 'NF001' OR SQLSTATE 'NF002' THEN
                RAISE WARNING 'starting anew: %', SQLERRM;
                DELETE FROM mine.articles;
                WITH range AS MATERIALIZED (
                    SELECT last FROM news.change_range
                ),

                undone AS (  -- the restored database does not know them, and gives their numbers out again
                    DELETE FROM mine.happened WHERE change > (SELECT last FROM range)
                ),

                taken AS (
                    INSERT INTO mine.articles (article_id, source, title, text, sentiment_score, copy_of)
                    SELECT article_id, source, title, text, sentiment_score, copy_of FROM news.articles
                )

                UPDATE mine.position SET change = range.last
                FROM range
                RETURNING range.last INTO next;
        END;
        COMMIT;  -- what was done and the position, together
        EXIT WHEN next IS NULL;
    END LOOP;
END
$$;

-- Role news_reader may read schema news and nothing else. A role belongs to the whole cluster: another database of it
-- may have made the role already, or be making it now.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'news_reader') THEN
        CREATE ROLE news_reader NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'Role news_reader was not created: % may not create roles. Readers need grants of your own.', current_user;
END
$$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'news_reader') THEN
        GRANT USAGE ON SCHEMA news TO news_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA news TO news_reader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA news GRANT SELECT ON TABLES TO news_reader;
    END IF;
END
$$;

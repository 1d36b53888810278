-- What is still to be done for the three roles of this database, as statements, in the order in which they can be run:
-- none where all is as it should be, and then nothing was locked. Roles belong to the whole cluster.
--   owner: owns both schemas and all in them; nobody logs in as it
--   writer: writes the rows of ingest and reads news; it may not make, change or drop anything
--   reader: reads news and calls its functions; of ingest it sees nothing
-- What no other role was promised (rights of people's own roles) is left alone.
WITH role AS (
    SELECT name, to_regrole(quote_ident(name))::oid AS oid
    FROM (VALUES (%(owner)s), (%(writer)s), (%(reader)s)) AS role (name)
),

object AS (
    SELECT
        'SCHEMA' AS kind,
        'SCHEMA' AS class,
        quote_ident(n.nspname) AS name,
        n.nspname AS schema,
        n.nspowner AS owner,
        coalesce(n.nspacl, acldefault('n', n.nspowner)) AS acl,
        n.oid
    FROM pg_namespace AS n
    WHERE n.nspname IN ('ingest', 'news')
    UNION ALL
    SELECT
        CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
        CASE
            WHEN c.relkind = 'c' THEN 'OTHER'
            WHEN c.relkind = 'S' THEN 'SEQUENCE'
            WHEN c.relkind IN ('v', 'm') OR c.relname = 'schema_version' THEN 'TO BE READ'
            ELSE 'TABLE'
        END,
        format('%%I.%%I', n.nspname, c.relname),
        n.nspname,
        c.relowner,
        CASE WHEN c.relkind <> 'c' THEN coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) END,
        c.oid
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('ingest', 'news') AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'c')
    UNION ALL
    SELECT
        'ROUTINE',
        'ROUTINE',
        format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
        n.nspname,
        p.proowner,
        coalesce(p.proacl, acldefault('f', p.proowner)),
        p.oid
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname IN ('ingest', 'news') AND p.prokind <> 'a'
    UNION ALL
    SELECT
        'TEXT SEARCH CONFIGURATION',
        'OTHER',
        format('%%I.%%I', n.nspname, t.cfgname),
        n.nspname,
        t.cfgowner,
        NULL,
        t.oid
    FROM pg_ts_config AS t JOIN pg_namespace AS n ON n.oid = t.cfgnamespace
    WHERE n.nspname IN ('ingest', 'news')
),

-- Ours, and not an extension's.
own AS (
    SELECT * FROM object
    WHERE NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = object.oid AND d.deptype = 'e')
),

-- Functions of ingest stay everybody's: views call them in the name of whoever reads, who cannot name them.
wanted (schema, class, grantee, privileges) AS (
    VALUES
        ('ingest', 'TABLE', %(writer)s, '{SELECT,INSERT,UPDATE,DELETE}'::text[]),
        ('ingest', 'TO BE READ', %(writer)s, '{SELECT}'),
        ('ingest', 'SEQUENCE', %(writer)s, '{SELECT,USAGE}'),
        ('news', 'TO BE READ', %(writer)s, '{SELECT}'),
        ('news', 'ROUTINE', %(writer)s, '{EXECUTE}'),
        ('news', 'TO BE READ', %(reader)s, '{SELECT}'),
        ('news', 'ROUTINE', %(reader)s, '{EXECUTE}'),
        ('ingest', 'SCHEMA', %(writer)s, '{USAGE}'),
        ('news', 'SCHEMA', %(writer)s, '{USAGE}'),
        ('news', 'SCHEMA', %(reader)s, '{USAGE}')
),

missing AS (
    SELECT o.kind, o.name, w.grantee, array_agg(privilege ORDER BY place) AS privileges
    FROM own AS o
    JOIN wanted AS w ON w.schema = o.schema AND w.class = o.class
    JOIN role AS r ON r.name = w.grantee
    CROSS JOIN unnest(w.privileges) WITH ORDINALITY AS each (privilege, place)
    WHERE NOT EXISTS (
        SELECT FROM aclexplode(o.acl) AS has WHERE has.grantee = r.oid AND has.privilege_type = each.privilege
    )
    GROUP BY o.kind, o.name, w.grantee
),

too_much AS (
    SELECT o.kind, o.name, coalesce(r.name, 'PUBLIC') AS grantee, array_agg(DISTINCT has.privilege_type) AS privileges
    FROM own AS o
    CROSS JOIN aclexplode(o.acl) AS has
    LEFT JOIN role AS r ON r.oid = has.grantee
    WHERE
        (r.name IN (%(writer)s, %(reader)s) OR has.grantee = 0)
        AND has.grantee <> o.owner
        AND NOT (o.schema = 'ingest' AND o.kind = 'ROUTINE')
        AND NOT EXISTS (
            SELECT FROM wanted AS w
            WHERE
                w.schema = o.schema AND w.class = o.class
                AND w.grantee = r.name AND has.privilege_type = ANY(w.privileges)
        )
    GROUP BY o.kind, o.name, r.name
)

SELECT step, role, statement
FROM (
    SELECT 1 AS step, name AS role, format('CREATE ROLE %%I NOLOGIN', name) AS statement
    FROM role WHERE oid IS NULL
    UNION ALL
    -- Whoever made the roles may give them away, but has to take them first.
    SELECT 2, name, format('GRANT %%I TO %%I', name, current_user)
    FROM role
    WHERE NOT pg_has_role(current_user, oid, 'SET') AND pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION')
    UNION ALL
    SELECT
        CASE kind WHEN 'SCHEMA' THEN 3 ELSE 4 END,
        %(owner)s,
        format('ALTER %%s %%s OWNER TO %%I', CASE kind WHEN 'SEQUENCE' THEN 'TABLE' ELSE kind END, name, %(owner)s)
    FROM own
    WHERE
        owner IS DISTINCT FROM (SELECT oid FROM role WHERE role.name = %(owner)s)
        -- A sequence of a column goes with its table.
        AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = own.oid AND d.deptype IN ('a', 'i') AND kind = 'SEQUENCE')
    UNION ALL
    -- Into a schema last: who may enter it finds all rights inside.
    SELECT
        CASE kind WHEN 'SCHEMA' THEN 7 ELSE 5 END,
        grantee,
        format('GRANT %%s ON %%s %%s TO %%I', array_to_string(privileges, ', '), kind, name, grantee)
    FROM missing
    UNION ALL
    SELECT
        6,
        grantee,
        format(
            'REVOKE %%s ON %%s %%s FROM %%s', array_to_string(privileges, ', '), kind, name,
            CASE grantee WHEN 'PUBLIC' THEN grantee ELSE quote_ident(grantee) END
        )
    FROM too_much
) AS todo
ORDER BY step, statement

"""Who may do what: real logins of readers and of a sink, and the migration that gives the roles what they have."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ops import database as looking
from pipeline.errors import SettingError, Stop
from sinks import database, migrate, postgres, queries, readers, roles, schema
from sinks.database import reader_limits
from sinks.readers import Login
from tests.sinks.samples import Feed, decided, decision, enriched, enrichment

pytestmark = pytest.mark.services

NEW = decision("new", place=1, observed=0)
MakeLogin = Callable[..., str]


def as_user(url: str, name: str, password: str) -> str:
    return readers.url_of(url, Login(name, password))


@pytest.fixture
def make_login(database_server: str, database_url: str) -> Iterator[MakeLogin]:
    """Makes a login with these roles, and gives its URL; all are gone at the end."""
    made: list[str] = []

    def make(*member_of: str, attributes: str = "") -> str:
        name = f"test_{uuid4().hex}"
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret' " + attributes).format(sql.Identifier(name)))
            made.append(name)
            for role in member_of:
                admin.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(name)))
        return as_user(database_url, name, "secret")

    yield make
    with psycopg.connect(database_url, autocommit=True) as admin:
        for name in made:
            admin.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def reader_url(database_url: str) -> Iterator[str]:
    """A login as `news db reader` makes it, whose queries may take a second."""
    login = Login(f"test_{uuid4().hex}", "secret")
    with psycopg.connect(database_url, autocommit=True) as admin:
        readers.create(admin, login, reader_limits(1))
        yield readers.url_of(database_url, login)
        readers.drop(admin, login.name)


def names(connection: psycopg.Connection[Any], query: str) -> list[str]:
    return [row[0] for row in connection.execute(query.encode()).fetchall()]


VIEWS = "SELECT format('news.%I', relname) FROM pg_class WHERE relnamespace = 'news'::regnamespace AND relkind = 'v'"
FUNCTIONS = (
    "SELECT proname, has_function_privilege(oid, 'EXECUTE') FROM pg_proc WHERE pronamespace = 'news'::regnamespace"
)
TABLES = (
    "SELECT format('ingest.%I', relname) FROM pg_class WHERE relkind IN ('r', 'p', 'v') AND relnamespace ="
    " (SELECT oid FROM pg_namespace WHERE nspname = 'ingest')"
)


def test_a_reader_sees_every_view_and_calls_every_function(reader_url: str, connection: database.Connection) -> None:
    postgres.write_batch(connection, Feed().incoming(decided(NEW, 1), enriched(NEW, 1, enrichment("Ada"))))

    with psycopg.connect(reader_url, autocommit=True) as reader:
        views = names(reader, VIEWS)
        for view in views:
            reader.execute(f"SELECT * FROM {view}".encode())
        functions = dict(reader.execute(FUNCTIONS.encode()).fetchall())
        titles = reader.execute("SELECT count(*) FROM articles").fetchone()  # its search_path finds it
        changes = reader.execute("SELECT * FROM news.read_changes(0)").fetchall()

    assert "news.articles" in views
    assert functions["read_changes"] is True
    assert set(functions.values()) == {True}
    assert titles == (1,)
    assert [change[1] for change in changes] == ["new"]


def test_a_reader_sees_nothing_of_ingest(reader_url: str) -> None:
    with psycopg.connect(reader_url, autocommit=True) as reader:
        tables = names(reader, TABLES)
        for table in tables:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"SELECT * FROM {table}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("SET ROLE news_writer")

    assert "ingest.versions" in tables


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM news.dead_letters",
        "UPDATE news.decisions SET kind = 'new'",
        "INSERT INTO news.changes (change) VALUES (1)",
        "INSERT INTO ingest.positions VALUES (gen_random_uuid(), 0, 't', 0)",
        "CREATE TABLE news.mine ()",
        "CREATE TABLE ingest.mine ()",
        "CREATE TABLE public.mine ()",
        "CREATE OR REPLACE VIEW news.change_range AS SELECT 1::bigint AS oldest, 1::bigint AS last",
        "DROP VIEW news.copies",
        "ALTER VIEW news.copies RENAME TO mine",
        "SELECT * FROM news.articles FOR UPDATE",
        "TRUNCATE ingest.articles",
        "CREATE PUBLICATION mine",
    ],
)
def test_a_reader_changes_nothing_even_where_it_lets_go_of_its_own_settings(reader_url: str, statement: str) -> None:
    with psycopg.connect(reader_url, autocommit=True) as reader:
        with pytest.raises((psycopg.errors.InternalError, psycopg.errors.ProgrammingError, psycopg.OperationalError)):
            reader.execute(statement.encode())
        reader.execute("SET default_transaction_read_only TO off")
        # The second: of a view that no row could be written through.
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
            reader.execute(statement.encode())


@pytest.mark.parametrize(
    "mode",
    [
        "ROW SHARE",
        "ROW EXCLUSIVE",
        "SHARE UPDATE EXCLUSIVE",
        "SHARE",
        "SHARE ROW EXCLUSIVE",
        "EXCLUSIVE",
        "ACCESS EXCLUSIVE",
    ],
)
def test_a_reader_locks_out_nobody(reader_url: str, mode: str) -> None:
    """LOCK TABLE of a view locks what it is made of: ACCESS SHARE, which every SELECT takes, is all that it may."""
    with psycopg.connect(reader_url) as reader:
        reader.execute("SET TRANSACTION READ WRITE")
        reader.execute("LOCK TABLE news.articles IN ACCESS SHARE MODE")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"LOCK TABLE news.articles IN {mode} MODE".encode())


def test_a_reader_that_holds_what_it_may_hold_and_listens_does_not_stop_the_sink(
    reader_url: str, connection: database.Connection
) -> None:
    with psycopg.connect(reader_url) as reader:
        reader.execute("LISTEN news_changed")
        reader.commit()
        reader.execute("LOCK TABLE news.articles IN ACCESS SHARE MODE")  # and asleep in its transaction

        written = postgres.write_batch(connection, Feed().incoming(decided(NEW, 1), enriched(NEW, 1, enrichment())))

    assert written.records == 2


def test_a_reader_is_ended_by_its_limits(reader_url: str) -> None:
    with psycopg.connect(reader_url, autocommit=True) as reader:
        settings = database.reader_settings(reader_limits(1))
        limits = {name: reader.execute(f"SHOW {name}".encode()).fetchone() for name in settings}
        with pytest.raises(psycopg.errors.QueryCanceled):
            reader.execute("SELECT pg_sleep(60)")

    assert limits == {
        "default_transaction_read_only": ("on",),
        "statement_timeout": ("1s",),
        "idle_in_transaction_session_timeout": ("2s",),
        "transaction_timeout": ("20s",),
    }


def test_a_readers_login_has_few_connections_and_a_password_that_the_server_never_saw(
    database_url: str, reader_url: str
) -> None:
    name = str(conninfo_to_dict(reader_url)["user"])
    with psycopg.connect(database_url) as admin:
        row = admin.execute("SELECT rolconnlimit, rolpassword FROM pg_authid WHERE rolname = %s", [name]).fetchone()
        with pytest.raises(SettingError, match="already"):
            readers.create(admin, Login(name, "other"), reader_limits(1))

    assert row is not None
    assert row[0] == 10
    assert row[1].startswith("SCRAM-SHA-256$")


def test_a_login_that_is_dropped_loses_its_sessions(database_url: str) -> None:
    login = Login(f"test {uuid4().hex}", "sec/ret@")
    with psycopg.connect(database_url, autocommit=True) as admin:
        readers.create(admin, login, reader_limits(30))
        with psycopg.connect(readers.url_of(database_url, login), autocommit=True) as reader:
            readers.drop(admin, login.name)

            with pytest.raises(psycopg.OperationalError):
                reader.execute("SELECT 1")
        with pytest.raises(SettingError, match="There is no role"):
            readers.drop(admin, login.name)
        with pytest.raises(SettingError, match="more than a reader"):
            readers.drop(admin, str(admin.info.user))


def test_a_login_that_owns_something_can_log_in_no_more_and_an_administrator_is_told_what_to_do(
    database_url: str,
) -> None:
    login = Login(f"test {uuid4().hex}", "secret")
    with psycopg.connect(database_url, autocommit=True) as admin:
        readers.create(admin, login, reader_limits(30))
        role = sql.Identifier(login.name)
        admin.execute(sql.SQL("CREATE SCHEMA mine AUTHORIZATION {}").format(role))
        try:
            with pytest.raises(Stop) as told:
                readers.drop(admin, login.name)
            said = str(told.value)
            with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
                psycopg.connect(readers.url_of(database_url, login))
        finally:
            statements = [sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER"), sql.SQL("DROP OWNED BY {}"),
                          sql.SQL("DROP ROLE {}")]  # fmt: skip
            for statement in statements:
                admin.execute(statement.format(role))
        kept = admin.execute("SELECT to_regnamespace('mine') IS NOT NULL").fetchone()

    assert said.startswith(f"{login.name} can log in no more and its sessions were ended, but it is still there")
    assert "owner of schema mine" in said
    assert all(statement.format(role).as_string() in said for statement in statements)
    assert kept == (True,)


def test_one_who_may_make_no_roles_is_told_so(make_login: MakeLogin) -> None:
    with (
        psycopg.connect(make_login("news_writer"), autocommit=True) as plain,
        pytest.raises(Stop, match="may not do this"),
    ):
        readers.create(plain, Login("test_never", "secret"), reader_limits(30))


# The sink.


def test_a_sink_works_as_the_writer_and_may_not_make_change_or_drop_anything(
    make_login: MakeLogin,
) -> None:
    with closing(database.connect(make_login("news_writer"), 30)) as sink:
        assert sink.execute("SELECT current_user").fetchone() == ("news_writer",)
        postgres.write_batch(sink, Feed().incoming(decided(NEW, 1), enriched(NEW, 1, enrichment("Ada"))))
        postgres.write_batch(sink, Feed().incoming(decided(NEW, 1), enriched(NEW, 1, enrichment("Ada", generation=1))))
        assert sink.execute("SELECT count(*) FROM news.articles").fetchone() == (1,)
        schema.check_schema(sink)
        for statement in (
            "DROP TABLE ingest.mentions",
            "ALTER TABLE ingest.articles ADD COLUMN mine text",
            "TRUNCATE ingest.changes",
            "CREATE TABLE ingest.mine ()",
            "CREATE INDEX ON ingest.articles (title)",
            "CREATE OR REPLACE VIEW news.change_range AS SELECT 1::bigint AS oldest, 1::bigint AS last",
            "UPDATE ingest.schema_version SET version_num = '9999'",
            "DELETE FROM ingest.schema_version",
            "SET ROLE news_owner",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                sink.execute(statement.encode())


def test_commands_work_for_those_who_may_only_write_and_those_who_may_only_read(
    make_login: MakeLogin, reader_url: str
) -> None:
    with looking.connect(make_login("news_writer")) as writer:
        assert queries.stored_positions(writer) == []
    with looking.connect_as_reader(reader_url) as reader:
        assert reader.execute("SELECT count(*) FROM news.articles").fetchone() == (0,)
    with looking.connect_as_reader(make_login("news_writer")) as writer_reading:
        assert writer_reading.execute("SELECT count(*) FROM news.articles").fetchone() == (0,)
        assert writer_reading.execute("SHOW transaction_read_only").fetchone() == ("on",)
    with pytest.raises(Stop, match="this wants a member of news_writer"), looking.connect(reader_url) as reader:
        queries.stored_positions(reader)


def test_reading_commands_of_the_owner_see_what_a_reader_sees(database_url: str) -> None:
    with looking.connect_as_reader(database_url, 1) as reader:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("SELECT FROM ingest.articles")
        assert reader.execute("SELECT current_user").fetchone() == ("news_reader",)
    with pytest.raises(Stop, match="took longer than 1 s"), looking.connect_as_reader(database_url, 1) as reader:
        reader.execute("SELECT pg_sleep(60)")


# What the migration does for the roles.


def test_all_belongs_to_the_owner_and_nothing_is_left_to_do(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        owners = names(
            connection,
            "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace IN"
            " ('ingest'::regnamespace, 'news'::regnamespace)",
        )
        definers = names(
            connection, "SELECT DISTINCT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'news'::regnamespace"
        )

        assert roles.undone(connection) == []
    assert owners == ["news_owner"]
    assert definers == ["news_owner"]


def test_an_idle_migration_locks_no_table_and_changes_nothing(database_url: str) -> None:
    with psycopg.connect(database_url) as reader:
        rows = reader.execute("SELECT max(xmin::text::bigint) FROM pg_class").fetchone()
        reader.execute("LOCK TABLE news.articles, ingest.articles IN ACCESS SHARE MODE")
        assert migrate.migrate(database_url) == []
        assert reader.execute("SELECT max(xmin::text::bigint) FROM pg_class").fetchone() == rows


def test_rights_that_somebody_gave_or_took_are_put_right(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as admin:
        for statement in (
            "GRANT SELECT ON ingest.dead_letters TO news_reader",
            "GRANT INSERT ON news.changes TO PUBLIC",
            "GRANT TRUNCATE ON ingest.articles TO news_writer",
            "REVOKE SELECT ON news.articles FROM news_reader",
            "GRANT EXECUTE ON FUNCTION news.read_changes TO PUBLIC",
            "ALTER VIEW news.copies OWNER TO CURRENT_USER",
        ):
            admin.execute(statement.encode())
        undone = [statement.sql for statement in roles.undone(admin)]

        migrate.migrate(database_url)

        assert undone == [
            "ALTER TABLE news.copies OWNER TO news_owner",
            "GRANT SELECT ON TABLE news.articles TO news_reader",
            "REVOKE EXECUTE ON ROUTINE news.read_changes(after bigint, most integer) FROM PUBLIC",
            "REVOKE INSERT ON TABLE news.changes FROM PUBLIC",
            "REVOKE SELECT ON TABLE ingest.dead_letters FROM news_reader",
            "REVOKE TRUNCATE ON TABLE ingest.articles FROM news_writer",
        ]
        assert roles.undone(admin) == []


@pytest.fixture
def role_names(database_server: str) -> Iterator[roles.Names]:
    """Roles that this cluster does not have yet: those of the pipeline are there, and others use them."""
    mark = uuid4().hex[:8]
    found = roles.Names(f"test_owner_{mark}", f"test_writer_{mark}", f"test_reader_{mark}")
    yield found
    with psycopg.connect(database_server, autocommit=True) as admin:
        for name in found:
            admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def drop_database(server: str, url: str) -> None:
    """Roles can be dropped only when nothing is theirs; the fixture finds an empty database again."""
    name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))


def test_databases_of_one_cluster_that_migrate_at_once_make_the_roles_once(
    database_server: str, empty_database_url: str, role_names: roles.Names
) -> None:
    others = [f"test_{uuid4().hex}" for _ in range(4)]
    with psycopg.connect(database_server, autocommit=True) as admin:
        for other in others:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(other)))
    start = threading.Barrier(len(others))

    def apply(name: str) -> list[roles.Statement]:
        with psycopg.connect(database_server, dbname=name, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA ingest")
            connection.execute("CREATE SCHEMA news")
            start.wait(30)
            return roles.apply(connection, role_names)

    try:
        with ThreadPoolExecutor(len(others)) as pool:
            undone = list(pool.map(apply, others))
    finally:
        with psycopg.connect(database_server, autocommit=True) as admin:
            for other in others:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(other)))

    assert undone == [[]] * 4


def test_where_roles_may_not_be_made_all_else_works_and_a_person_is_told(
    database_server: str,
    empty_database_url: str,
    make_login: MakeLogin,
    role_names: roles.Names,
) -> None:
    plain = str(conninfo_to_dict(make_login())["user"])
    own = as_user(empty_database_url, plain, "secret")
    own_database = sql.Identifier(str(conninfo_to_dict(empty_database_url)["dbname"]))
    with psycopg.connect(database_server, autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(own_database, sql.Identifier(plain)))
    said: list[str] = []
    try:
        applied = migrate.migrate(own, say=said.append, names=role_names)
        again = migrate.migrate(own, names=role_names)
        with closing(database.connect(own, 30)) as sink:
            user = sink.execute("SELECT current_user").fetchone()
            postgres.write_batch(sink, Feed().incoming(decided(NEW, 1), enriched(NEW, 1, enrichment())))
        with looking.connect_as_reader(own) as reader:
            rows = reader.execute("SELECT count(*) FROM news.articles").fetchone()
    finally:
        drop_database(database_server, empty_database_url)

    assert applied == list(schema.revisions())
    assert again == []
    assert user == (plain,)
    assert rows == (1,)
    assert len(said) == 1
    assert f"not made ({', '.join(sorted(role_names))}): {plain} may not" in said[0]
    assert "news db roles" in said[0]


def test_a_user_who_is_no_superuser_and_may_make_roles_gets_all_of_it(
    database_server: str, empty_database_url: str, make_login: MakeLogin, role_names: roles.Names
) -> None:
    maker = str(conninfo_to_dict(make_login(attributes="CREATEROLE"))["user"])
    own_database = sql.Identifier(str(conninfo_to_dict(empty_database_url)["dbname"]))
    with psycopg.connect(database_server, autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(own_database, sql.Identifier(maker)))
    own = as_user(empty_database_url, maker, "secret")
    try:
        with psycopg.connect(own, autocommit=True) as connection:
            for statement in (
                "CREATE SCHEMA ingest",
                "CREATE SCHEMA news",
                "CREATE TABLE ingest.rows (number bigint GENERATED ALWAYS AS IDENTITY)",
                "CREATE VIEW news.rows AS SELECT * FROM ingest.rows",
                "CREATE FUNCTION news.one() RETURNS integer LANGUAGE sql RETURN 1",
            ):
                connection.execute(statement.encode())
            undone = roles.apply(connection, role_names)
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role_names.reader)))
            rows = connection.execute("SELECT count(*), news.one() FROM news.rows").fetchone()
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role_names.writer)))
            connection.execute("INSERT INTO ingest.rows DEFAULT VALUES")
    finally:
        drop_database(database_server, empty_database_url)
        with psycopg.connect(database_server, autocommit=True) as admin:
            for name in role_names:
                admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))

    assert undone == []
    assert rows == (0, 1)

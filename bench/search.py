"""How long news.search takes over a million articles, and what it costs to index one.

    .venv/bin/python -m bench.search --folder /tmp/bench-search           (makes the articles once: about half an hour)
    .venv/bin/python -m bench.search --folder /tmp/bench-search --repeat 5

The articles: 400 words and a title of 9, of a vocabulary of 300,000 made-up words by Zipf's law (1 / (rank + 2.7)),
42 % of all words from 170 common English ones; 30,000 different texts, each used many times with three rare words of
its own added, since making a million would take hours and the index sees no difference. 60 days, 200 sources and 50,000
names by Zipf's law too, 15 names an article; 70 % English, 20 % German, 10 % in a language that PostgreSQL has no
stemmer for, so that each question is asked in three configurations. The embedded server with its own settings.
"""

import argparse
import itertools
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg

from ops.embedded.postgres import EmbeddedPostgres
from sinks import migrate

GOAL_MS: Final = 50
VOCABULARY: Final = 300_000
RARE_FROM: Final = 1_000_000
TEXTS: Final = 30_000
NAMES: Final = 50_000
SOURCES: Final = 200
DAYS: Final = 60
COMMON: Final = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which "
    "were been their has would will more who when if no out so said what its about into than them can only other new "
    "some could time these two may then do first any my now such like our over man me even most made after also did "
    "many before must through back years where much your way well down should because each just those people mr how "
    "too little state good very make world still own see men work long get here between both life being under never "
    "day same another know while last might us great old year off come since against go came right used take three"
).split()
LANGUAGES: Final = (("en", "ingest.english"), ("de", "ingest.german"), ("xx", "ingest.simple"))

Connection = psycopg.Connection[Any]


class Question(NamedTuple):
    """What is asked, and what kind of question it is."""

    kind: str
    arguments: dict[str, Any]


def word(rank: int) -> str:
    """A word that looks like one; the same for the same rank."""
    made = random.Random(rank)
    syllables = 1 + min(3, len(str(rank)) // 2) + (made.randint(0, 1) if rank > 50 else 0)
    stem = "".join(made.choice("bcdfghklmnprstvw") + made.choice("aeiou") for _ in range(syllables))
    return stem + made.choice(("", "s", "n", "t", "r", "ed", "ing"))


class Writer:
    """Writes texts in which words are as frequent as in real ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._words = [word(rank) for rank in range(1, VOCABULARY + 1)]
        self._weights = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))
        self._common_weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(COMMON))))

    def words(self, count: int) -> list[str]:
        """So many words in a row."""
        others = self._random.choices(self._words, cum_weights=self._weights, k=count)
        common = self._random.choices(COMMON, cum_weights=self._common_weights, k=count)
        return [c if self._random.random() < 0.42 else o for o, c in zip(others, common, strict=True)]

    def text(self) -> str:
        """400 words in sentences of 20; the first two are a paragraph."""
        words = self.words(400)
        sentences = [" ".join(words[i : i + 20]).capitalize() + "." for i in range(0, 400, 20)]
        return f"{sentences[0]} {sentences[1]}\n\n{' '.join(sentences[2:])}"


def fill(connection: Connection, rows: int) -> None:
    """A million articles in the tables that search reads; foreign keys are not looked at, the index is made last."""
    writer = Writer(7)
    began = time.monotonic()
    connection.execute("DROP SCHEMA IF EXISTS bench CASCADE")
    connection.execute("CREATE SCHEMA bench")
    connection.execute(
        "CREATE UNLOGGED TABLE bench.texts (n integer PRIMARY KEY, title text, body text, language text, "
        "configuration text, vector tsvector)"
    )
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY bench.texts (n, title, body, language, configuration) FROM STDIN") as copy,
    ):
        for n in range(TEXTS):
            language = LANGUAGES[0 if n % 10 < 7 else 1 if n % 10 < 9 else 2]
            copy.write_row((n, " ".join(writer.words(9)).capitalize(), writer.text(), *language))
    began = said(f"{TEXTS:,} texts written", began)
    connection.execute(
        "UPDATE bench.texts SET vector = ingest.search_vector(configuration::regconfig, title, 'By Ann Author', body)"
    )
    began = said(f"{TEXTS:,} vectors made: {(time.monotonic() - began) / TEXTS * 1e3:.2f} ms each", began)
    definitions = connection.execute(
        "SELECT pg_get_indexdef(indexrelid), indexrelid::regclass::text FROM pg_index "
        "WHERE indrelid = 'ingest.search'::regclass AND NOT indisprimary"
    ).fetchall()
    for _, name in definitions:
        connection.execute(f"DROP INDEX {name}")
    connection.execute("SET session_replication_role = replica")
    connection.execute("SET synchronous_commit = off")
    connection.execute("SELECT setseed(0.5)")
    connection.execute(FUNCTIONS)
    step = max(1, min(50_000, rows))
    for first in range(0, rows, step):
        for statement in FILL:
            connection.execute(statement, {"first": first, "last": min(first + step, rows) - 1, "rows": rows})
        began = said(f"{min(first + step, rows):,} articles", began)
    connection.execute("UPDATE ingest.search_languages SET is_used = true WHERE language IN ('en', 'de', '')")
    connection.execute("SET maintenance_work_mem = '512MB'")
    for definition, name in definitions:
        connection.execute(definition)
        began = said(f"index {name}", began)
    connection.execute("VACUUM (ANALYZE) ingest.search, ingest.articles, ingest.versions")
    said("vacuum", began)


FUNCTIONS: Final = f"""
CREATE FUNCTION bench.id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5('article ' || n)::uuid $$;
CREATE FUNCTION bench.seen(n bigint, all_rows bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT '2026-09-01 00:00:00+00'::timestamptz + n * (interval '{DAYS} days' / all_rows)
$$;
CREATE FUNCTION bench.zipf(most integer, n bigint, salt integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT floor(exp((hashint8extended(n, salt) & 1048575) / 1048576.0 * ln(most + 1)))::integer - 1
$$;
"""
FILL: Final = (
    """
    INSERT INTO ingest.articles (
        article_id, current_delivery, observed_at, log_id, log_offset, decided_at, first_seen_at, source, url, title,
        notes
    )
    SELECT
        bench.id(i), bench.id(i), bench.seen(i, %(rows)s), bench.id(0), i, bench.seen(i, %(rows)s),
        bench.seen(i, %(rows)s), 'source ' || bench.zipf(200, i, 1), 'https://example.org/' || i, t.title, '{}'
    FROM generate_series(%(first)s::bigint, %(last)s) AS i JOIN bench.texts AS t ON t.n = i %% 30000
    """,
    """
    INSERT INTO ingest.versions (
        delivery_id, article_id, version_id, kind, entities_of, observed_at, log_id, log_offset, decided_at, source,
        title, notes, text, removed, content_hash, generation, language, sentiment_label, sentiment_score
    )
    SELECT
        bench.id(i), bench.id(i), bench.id(i), 'new', bench.id(i), bench.seen(i, %(rows)s), bench.id(0), i,
        bench.seen(i, %(rows)s), 'source ' || bench.zipf(200, i, 1), t.title, '{}', t.body, '[]', '', 0, t.language,
        'neutral', 0
    FROM generate_series(%(first)s::bigint, %(last)s) AS i JOIN bench.texts AS t ON t.n = i %% 30000
    """,
    """
    INSERT INTO ingest.search (
        article_id, inputs, first_seen_at, source, language, sentiment_label, configuration, title, terms, vector
    )
    SELECT
        bench.id(i), 0, bench.seen(i, %(rows)s), 'source ' || bench.zipf(200, i, 1), t.language,
        (ARRAY['negative', 'neutral', 'positive'])[1 + i %% 3], t.configuration, t.title,
        ingest.time_terms(bench.seen(i, %(rows)s))
        || ARRAY[
            's:source ' || bench.zipf(200, i, 1), 'l:' || t.language,
            'p:' || (ARRAY['negative', 'neutral', 'positive'])[1 + i %% 3]
        ]
        || ARRAY(
            SELECT DISTINCT ingest.name_term(md5('name ' || bench.zipf(50000, i, 100 + k))::uuid)
            FROM generate_series(1, 15) AS k
        ),
        t.vector || array_to_tsvector(
            ARRAY(SELECT DISTINCT 'rare' || bench.zipf(1000000, i, k) FROM generate_series(2, 4) AS k)
        )
    FROM generate_series(%(first)s::bigint, %(last)s) AS i JOIN bench.texts AS t ON t.n = i %% 30000
    """,
)


def said(what: str, began: float) -> float:
    """Print what was done and how long it took; gives the time now."""
    now = time.monotonic()
    print(f"  {what} ({now - began:.1f} s)", flush=True)
    return now


def questions(rows: int, count: int) -> Iterator[Question]:
    """The mix: each kind `count` times, with other words each time."""
    made = random.Random(11)

    def common() -> str:
        return word(made.randint(1, 100))

    def usual() -> str:
        return word(made.randint(200, 5_000))

    def rare() -> str:
        return word(made.randint(50_000, VOCABULARY))

    def name() -> str:
        return f"name {made.choice((made.randint(0, 20), made.randint(50, 5_000)))}"

    def dates() -> dict[str, Any]:
        day = made.randint(0, DAYS - 8)
        return {"since": f"2026-09-01T00:00Z+{day}", "days": (day, day + made.choice((1, 7)))}

    phrases = Writer(7)
    texts = [phrases.text().split() for _ in range(50)]

    def phrase() -> str:
        text = made.choice(texts)
        place = made.randint(0, len(text) - 3)
        return f'"{" ".join(text[place : place + 2])}"'

    for _ in range(count):
        yield Question("a common word (in 2 to 70 %)", {"words": common()})
        yield Question("a usual word (in 0.05 to 2 %)", {"words": usual()})
        yield Question("a rare word (in a few articles)", {"words": rare()})
        yield Question("a word that nobody wrote", {"words": f"nobody{made.randint(0, 10**9)}"})
        yield Question("two common words", {"words": f"{common()} {common()}"})
        yield Question("common and usual", {"words": f"{common()} {usual()}"})
        yield Question("two usual words", {"words": f"{usual()} {usual()}"})
        yield Question("either of two", {"words": f"{usual()} or {rare()}"})
        yield Question("one without another", {"words": f"{usual()} -{common()}"})
        yield Question("a phrase of two words", {"words": phrase()})
        yield Question("common, in a day or week", {"words": common(), **dates()})
        yield Question("usual, in a day or week", {"words": usual(), **dates()})
        yield Question("common, with a name", {"words": common(), "entity": name()})
        yield Question("usual, with a name", {"words": usual(), "entity": name()})
        yield Question("usual, of a source", {"words": usual(), "source": f"source {made.randint(0, 150)}"})
        yield Question("usual, negative, German", {"words": usual(), "sentiment": "negative", "language": "de"})
        yield Question(
            "a name, a source and a week", {"words": None, "entity": name(), "source": "source 3", **dates()}
        )
        yield Question("the newest, no words", {"words": None})
        yield Question("the newest with a name", {"words": None, "entity": name()})


def ask(connection: Connection, question: Question) -> tuple[float, int]:
    """How long it took, in milliseconds, and how many rows came."""
    arguments = dict(question.arguments)
    days = arguments.pop("days", None)
    if days:
        arguments["since"], arguments["until"] = (f"2026-09-01 00:00:00+00 +{d}" for d in days)
    given = []
    for key in arguments:
        given.append(f"{key} => %({key})s")
    if days:
        arguments["since"], arguments["until"] = (
            time.strftime("%Y-%m-%d 00:00:00+00", time.gmtime(1_788_220_800 + d * 86_400)) for d in days
        )
    if entity := arguments.get("entity"):
        arguments["entity"] = connection.execute("SELECT md5(%s)::uuid::text", [entity]).fetchone()[0]  # type: ignore[index]
    began = time.perf_counter()
    rows = connection.execute(f"SELECT * FROM news.search({', '.join(given)})", arguments).fetchall()
    return (time.perf_counter() - began) * 1e3, len(rows)


def report(measured: dict[str, list[tuple[float, int]]]) -> None:
    """One line a kind, and all together."""
    print(f"\n{'':36} {'p50':>7} {'p95':>7} {'most':>7}   rows    (ms; goal: p95 < {GOAL_MS})")
    for kind, each in measured.items():
        line(kind, each)
    line("all", list(itertools.chain.from_iterable(measured.values())))


def line(kind: str, each: Sequence[tuple[float, int]]) -> None:
    """p50, p95 and greatest time of one kind."""
    times = sorted(t for t, _ in each)
    p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
    rows = statistics.mean(n for _, n in each)
    print(
        f"{kind:36} {statistics.median(times):7.1f} {p95:7.1f} {times[-1]:7.1f}   {rows:4.1f}"
        f"    {'ok' if p95 < GOAL_MS else 'MISSED'}"
    )


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The embedded server on this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    postgres = EmbeddedPostgres(folder, folder)
    postgres.prepare(lambda *_: None)
    postgres.start()
    try:
        postgres.wait_ready()
        yield postgres.url
    finally:
        postgres.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the database is made and kept")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=20, help="questions of each kind")
    arguments = parser.parse_args()
    with server(arguments.folder) as url:
        migrate.migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            if connection.execute("SELECT count(*) FROM ingest.search").fetchone() == (0,):
                fill(connection, arguments.rows)
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
            measured: dict[str, list[tuple[float, int]]] = {}
            for question in questions(arguments.rows, arguments.repeat):
                measured.setdefault(question.kind, []).append(ask(connection, question))
            report(measured)


if __name__ == "__main__":
    main()

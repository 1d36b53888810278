"""`news where`: what is known of an article, a version or a delivery, from the spool to the row."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg.rows import dict_row

from ops import database, kafka_view
from ops.database import Connection
from ops.services import Endpoints
from pipeline import identity, topics
from pipeline.errors import SettingError, Unavailable
from pipeline.settings import Settings
from sinks import queries, statements

#: Of what waits on a topic so many records are looked at, the newest: more would take longer than a person waits.
TAIL_RECORDS: Final = 5000
#: Of the bytes of a dead letter so many are searched for a delivery: its id is among the first fields.
BEGINNING_BYTES: Final = 400
#: As the SQL has it.
MOST_DECISIONS: Final = 100


class Found(NamedTuple):
    """A row a delivery, and what was not looked at, in sentences."""

    rows: list[dict[str, Any]]
    notes: list[str]


def find(what: str, settings: Settings, endpoints: Endpoints) -> Found:
    """Where it is now. `what`: an article, version, delivery or dead-letter id, or a URL.

    Raises SettingError when `what` is neither an id nor a URL, Unavailable when what could still know it is away.
    """
    with database.connect(endpoints.database_url) as db, db.cursor(row_factory=dict_row) as cursor:
        sought = wanted(what, db)
        decided: list[dict[str, Any]] = []
        for version_id in (None, sought):  # looking for a version reads all decisions
            about = {"id": sought, "version_id": version_id}
            decided = decided or cursor.execute(statements.load("select_whereabouts"), about).fetchall()
        in_letters = {"id": sought, "beginning": BEGINNING_BYTES}
        letters = cursor.execute(statements.load("select_letters_about"), in_letters).fetchall()
        states = queries.article_states(db, list({sought, *(row["article_id"] for row in decided)}))
    erased = {article_id for article_id, state in states.items() if state.withdrawn == "erased"}
    known = [_decided(row, row["article_id"] in erased) for row in decided] + [_dead(letter) for letter in letters]
    notes = [f"These are the newest {MOST_DECISIONS} deliveries of it."] if len(decided) == MOST_DECISIONS else []
    # A delivery has one story; of an article more may be on its way.
    may_come = not any(sought in (row["delivery_id"], row["version_id"]) for row in decided) and not any(
        sought == letter["id"] for letter in letters
    )
    unstored = [
        (line, row["delivery_id"])
        for line, row in zip(known, decided, strict=False)
        if not _is_done(row) and row["article_id"] not in erased
    ]
    coming = _spooled(sought, settings) if may_come else []
    try:
        if may_come or unstored:
            kafka = _Waiting(endpoints)
            for line, delivery_id in unstored:
                line["detail"] = kafka.step(delivery_id) or line["detail"]
            coming += kafka.undecided(sought, known) if may_come else []
            notes += kafka.notes
    except Unavailable as error:
        if not (known or coming):
            raise
        notes.append(f"What waits in Kafka was not looked for: {error}")
    return Found([line for state in states.values() for line in _taken_back(state)] + coming + known, notes)


def wanted(what: str, db: Connection) -> UUID:
    """The id that is meant: `what` itself, or that of the article at a URL.

    An article with an own id keeps its id when it moves: then the newest address finds it too. Raises SettingError.
    """
    try:
        return UUID(what)
    except ValueError:
        canonical = identity.canonical_url(what)
    if canonical is None:
        raise SettingError(f"{what!r} is neither an id nor an http(s) URL.")
    article_id = identity.article_id(what, "", None, "", "")
    if queries.article_name(db, article_id) is not None:
        return article_id
    addresses = [f"{scheme}://{www}{canonical}" for scheme in ("https", "http") for www in ("", "www.")]
    return queries.article_at(db, [identity.printable(what), *addresses]) or article_id


def _is_done(row: dict[str, Any]) -> bool:
    """Whether nothing more follows from a decision."""
    return row["stored"] or row["by_the_log"] not in ("new", "revision")


def _taken_back(state: queries.ArticleState) -> list[dict[str, Any]]:
    """A line about an article that is not shown."""
    if state.withdrawn is None:
        return []
    what = "its text is stored no more" if state.withdrawn == "erased" else "readers do not see it"
    detail = f"{state.withdrawn_reason} ({what})"
    return [{"where": state.withdrawn, "at": state.withdrawn_at, "article_id": state.article_id, "detail": detail}]


def _decided(row: dict[str, Any], is_erased: bool) -> dict[str, Any]:
    if is_erased and row["by_the_log"] in ("new", "revision", "copy"):
        where, detail = "erased", "decided; its text was forgotten"
    elif row["stored"]:
        where, detail = "stored", row["enrich_reason"] or ("enriched" if row["generation"] is not None else "copy")
    elif _is_done(row):
        where, detail = "decided", "needs no row of its own"
    else:
        where, detail = "being enriched", "decided; its enrichment is on articles.unique or articles.enriched"
    of = f"; of {row['of_article']}" if row["of_article"] else ""
    return {
        "where": where,
        "at": f"{_place(topics.RAW, row['raw_partition'], row['raw_offset'])}, log {row['log_offset']}",
        "kind": row["kind"],
        "delivery_id": row["delivery_id"],
        "article_id": row["article_id"],
        "detail": detail + of,
    }


def _place(topic: str, partition: int, offset: int) -> str:
    return f"{topic} {partition}:{offset}"


def _dead(letter: dict[str, Any]) -> dict[str, Any]:
    return {
        "where": "dead letter",
        "at": letter["origin"] or f"{letter['topic']} {letter['partition']}:{letter['record_offset']}",
        "kind": letter["stage"],
        "detail": f"{letter['reason']}: {letter['detail']} (`news dead-letters show {letter['id']}`)",
    }


def _spooled(sought: UUID, settings: Settings) -> list[dict[str, Any]]:
    from producers.run import open_spool

    with open_spool(settings) as spool:
        if not spool.holds(sought):
            return []
        return [{"where": "spooled", "at": str(spool.folder), "detail": "not acknowledged by Kafka yet"}]


class _Waiting:
    """What waits on the topics for those who read them, the newest records of it; `notes` say what was left out."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._bootstrap = endpoints.bootstrap_servers
        self._behind = [row for row in kafka_view.lag(endpoints) if row["lag"] > 0]
        self.notes: list[str] = []
        letters = sum(row["lag"] for row in self._behind if row["topic"] == topics.DEAD_LETTER)
        if letters:
            self.notes.append(f"The sink has {letters:,} dead letters to read, which were not looked at.")

    def undecided(self, sought: UUID, known: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Deliveries that the database does not know: not decided, or decided and waiting for the sink."""
        decided = {str(line["at"]).partition(",")[0] for line in known}  # sent on, and not acknowledged yet
        return [
            {"where": "in Kafka", "at": place, "detail": detail}
            for topic, detail in (
                (topics.DECISIONS, "decided; waits for the sink"),
                (topics.RAW, "waits for deduplicate"),
            )
            for place in self._places(topic, sought)
            if place not in decided
        ]

    def step(self, delivery_id: UUID) -> str | None:
        """Which step a decided text waits for."""
        steps = ((topics.ENRICHED, "enriched; waits for the sink"), (topics.UNIQUE, "waits for enrich"))
        found = (f"{waits}: {place}" for topic, waits in steps for place in self._places(topic, delivery_id))
        return next(found, None)

    def _places(self, topic: str, sought: UUID) -> list[str]:
        tail, left_out = newest([row for row in self._behind if row["topic"] == topic], TAIL_RECORDS)
        if left_out:
            note = f"{left_out:,} of the records that wait on {topic} were not looked at, only the newest."
            self.notes += [note] if note not in self.notes else []
        found = kafka_view.unread(self._bootstrap, topic, str(sought), tail)
        return [_place(topic, partition, offset) for partition, offset in found]


def newest(behind: Sequence[dict[str, Any]], most: int) -> tuple[list[dict[str, Any]], int]:
    """Rows of `lag` cut down to the newest records, `most` shared out to the partitions; and how many are left out."""
    each = max(1, most // len(behind)) if behind else most
    tail = [{**row, "position": max(row["position"], row["end"] - each)} for row in behind]
    return tail, sum(cut["position"] - row["position"] for cut, row in zip(tail, behind, strict=True))

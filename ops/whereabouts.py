"""`news where`: what is known of an article, a version or a delivery, from the spool to the row."""

from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from ops import database, kafka_view
from ops.services import Endpoints
from pipeline import identity, topics
from pipeline.errors import SettingError
from pipeline.settings import Settings
from sinks import statements


def find(what: str, settings: Settings, endpoints: Endpoints) -> list[dict[str, Any]]:
    """Where it is now, a row a delivery. `what`: an article, version, delivery or dead-letter id, or a URL.

    Raises SettingError when `what` is neither an id nor a URL.
    """
    wanted = _id_of(what)
    with database.connect(endpoints.database_url) as db, db.cursor(row_factory=dict_row) as cursor:
        decided = cursor.execute(statements.load("select_whereabouts"), {"id": wanted}).fetchall()
        letter = cursor.execute(statements.load("select_dead_letter"), {"id": wanted}).fetchone()
    rows = [_decided(row) for row in decided]
    if letter is not None:
        at = letter["origin"] or f"{letter['topic']} {letter['partition']}:{letter['record_offset']}"
        detail = f"{letter['reason']}: {letter['detail']}"
        rows.append({"where": "dead letter", "at": at, "kind": letter["stage"], "detail": detail})
    return rows or _on_its_way(wanted, settings, endpoints)


def _id_of(what: str) -> UUID:
    try:
        return UUID(what)
    except ValueError:
        if identity.canonical_url(what) is None:
            raise SettingError(f"{what!r} is neither an id nor an http(s) URL.") from None
        return identity.article_id(what, "", None, "", "")


def _decided(row: dict[str, Any]) -> dict[str, Any]:
    needs_text = row["kind"] in ("new", "revision")
    if row["stored"]:
        where, detail = "stored", row["enrich_reason"] or ("enriched" if row["generation"] is not None else "copy")
    elif needs_text:
        where, detail = "being enriched", "decided; its enrichment is on articles.unique or articles.enriched"
    else:
        where, detail = "decided", "needs no row of its own"
    of = f"; of {row['of_article']}" if row["of_article"] else ""
    return {
        "where": where,
        "at": f"{topics.RAW} {row['raw_partition']}:{row['raw_offset']}, log {row['log_offset']}",
        "kind": row["kind"],
        "delivery_id": row["delivery_id"],
        "article_id": row["article_id"],
        "detail": detail + of,
    }


def _on_its_way(wanted: UUID, settings: Settings, endpoints: Endpoints) -> list[dict[str, Any]]:
    """Not decided yet: in the spool, or waiting on articles.raw."""
    from producers.run import open_spool

    with open_spool(settings) as spool:
        if spool.holds(wanted):
            return [{"where": "spooled", "at": str(spool.folder), "detail": "not acknowledged by Kafka yet"}]
    unread = [row for row in kafka_view.lag(endpoints) if row["topic"] == topics.RAW and row["lag"] > 0]
    found = kafka_view.unread(endpoints.bootstrap_servers, topics.RAW, str(wanted), unread)
    return [{"where": "in Kafka", "at": f"{topics.RAW} {p}:{o}", "detail": "waits for deduplicate"} for p, o in found]

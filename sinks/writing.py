"""The rows of some records -> PostgreSQL, a statement for each table; each is guarded, so no order matters."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from sinks import choosing, erasing, last_word, register, statements
from sinks.changes import Effects, Place
from sinks.database import Connection
from sinks.rows import ArticleRow, Prepared, Version


def write_rows(connection: Connection, prepared: Sequence[Prepared], before: Effects) -> tuple[Counter[str], Effects]:
    """Write the rows of these records; gives how many were sent to each table, and what that changed.

    `before`: what the transaction did already. Raises psycopg.Error, or UnicodeEncodeError, where a row cannot be.
    """
    decisions = [p.rows.decision for p in prepared if p.rows.decision]
    articles = choosing.newest_articles(p.rows.article for p in prepared if p.rows.article)
    versions = choosing.best_versions(p.rows.version for p in prepared if p.rows.version)
    letters = sorted((p.rows.dead_letter for p in prepared if p.rows.dead_letter), key=lambda letter: letter.id.bytes)
    states = choosing.last_states(p.rows.source for p in prepared if p.rows.source)
    words = choosing.last_withdrawals(p.rows.withdrawal for p in prepared if p.rows.withdrawal)
    effects = Effects()

    effects.decided = {Place(*found) for found in _insert(connection, "insert_decisions", decisions)}
    # Articles before all that hangs on them, as their rows are the locks: always in the order of their ids.
    about = {word.article_id for word in words} | {article.article_id for article in articles}
    if about:
        originals = {version.row.copy_of for version in versions if version.row.copy_of}
        connection.execute(statements.load("lock_known"), {"article_ids": sorted(about | originals)})
    if words:
        connection.execute(statements.load("lock_articles"), {"article_ids": sorted(about)})
        effects.states, copies = erasing.withdraw(connection, words)
        effects.articles |= {article_id for article_id, _ in effects.states} | copies
    effects.articles |= _write_articles(connection, articles)
    if letters:
        erasing.share_letters(connection)
    registered = _register(connection, prepared)
    entities, mentions = _write_versions(connection, versions, effects)
    # Also of those that are taken back: there may be no texts any more to judge by.
    _say_last_words(connection, {a.article_id for a in articles} | effects.articles, before, effects)
    if effects.articles:
        connection.execute(statements.load("index_articles"), {"article_ids": sorted(effects.articles)})
    if letters:
        erasing.insert_letters(connection, letters)
    _run_each(connection, "upsert_source", states)
    return +Counter(
        decisions=len(decisions),
        articles=len(articles),
        versions=len(versions),
        entity_register=registered,
        entities=entities,
        mentions=mentions,
        dead_letters=len(letters),
        sources=len(states),
        withdrawals=len(words),
    ), effects


def _write_articles(connection: Connection, articles: Sequence[ArticleRow]) -> set[UUID]:
    """Gives those that were there and say something else now; of a new one nothing is shown before it has a version."""
    written = dict(_insert(connection, "upsert_articles", articles))
    others = [a for a in articles if a.article_id not in written]
    earlier: list[tuple[UUID]] = []
    if others:
        arguments = {
            "article_ids": [a.article_id for a in others],
            "first_seen_at": [a.first_seen_at for a in others],
        }
        earlier = connection.execute(statements.load("update_first_seen"), arguments).fetchall()
    return {article_id for article_id, was_there in written.items() if was_there}.union(*earlier)


def _register(connection: Connection, prepared: Sequence[Prepared]) -> int:
    """Have all names in the register, before rows refer to it: of every record, so that no order of them matters.

    Also those of an enrichment that gives way to a newer one: had it come first, they would be there as well.
    """
    found = register.merged(chain.from_iterable(p.rows.version.registered for p in prepared if p.rows.version))
    if not found:
        return 0
    return connection.execute(statements.load("upsert_register"), {"rows": _json(found)}).rowcount


def _write_versions(connection: Connection, versions: Sequence[Version], effects: Effects) -> tuple[int, int]:
    if not versions:
        return 0, 0
    written = _insert(connection, "upsert_versions", [v.row for v in versions])
    effects.stored = {delivery_id for delivery_id, _, was_there in written if not was_there}
    effects.enriched = {delivery_id for delivery_id, _, was_there in written if was_there}
    effects.articles |= {article_id for _, article_id, _ in written}
    # An enrichment is replaced whole: the guard let the version through, so its names go with it.
    standing = [v for v in versions if v.row.delivery_id in effects.stored or v.row.delivery_id in effects.enriched]
    with connection.cursor() as cursor:
        if effects.enriched:
            cursor.execute(statements.load("delete_entities"), {"delivery_ids": list(effects.enriched)})
        entities = _copy(cursor, "copy_entities", chain.from_iterable(v.entities for v in standing))
        mentions = _copy(cursor, "copy_mentions", chain.from_iterable(v.mentions for v in standing))
    return entities, mentions


def _say_last_words(connection: Connection, article_ids: Iterable[UUID], before: Effects, effects: Effects) -> None:
    """Judge anew what the log took for a first delivery of these articles, each with all that is known of it.

    upsert_articles has locked them: who writes to one of them meanwhile waits there, then sees these rows and judges
    them with its own. So nothing that two sinks write at once is judged by neither, and the lock order stays one.
    """
    if not article_ids:
        return
    with connection.cursor(row_factory=class_row(last_word.Known)) as cursor:
        doubtful = cursor.execute(statements.load("select_doubtful"), {"article_ids": list(article_ids)}).fetchall()
    words = last_word.last_words(doubtful)
    _run_each(connection, "update_decision", words.decisions)
    fresh = {place.delivery_id for place in before.decided | effects.decided} | before.stored | effects.stored
    for word in words.versions:
        arguments = word._asdict() | {"is_fresh": word.delivery_id in fresh}
        for article_id, is_shown_again in connection.execute(statements.load("update_version"), arguments).fetchall():
            effects.articles.add(article_id)
            if is_shown_again:
                effects.shown_again.add(word.delivery_id)
    _run_each(connection, "update_current", words.articles)
    effects.articles |= {word.article_id for word in words.articles}


def _insert(connection: Connection, statement: str, lines: Sequence[NamedTuple]) -> list[Any]:
    """One statement for all lines, which it takes as JSON; gives what it returns."""
    if not lines:
        return []
    return connection.execute(statements.load(statement), {"rows": _json(lines)}).fetchall()


def _json(lines: Iterable[NamedTuple]) -> str:
    return json.dumps([line._asdict() for line in lines], ensure_ascii=False, default=str)


def _copy(cursor: psycopg.Cursor[Any], statement: str, lines: Iterable[NamedTuple]) -> int:
    count = 0
    with cursor.copy(statements.load(statement)) as copy:
        for line in lines:
            copy.write_row(line)
            count += 1
    return count


def _run_each(connection: Connection, statement: str, lines: Sequence[NamedTuple]) -> None:
    if lines:
        with connection.cursor() as cursor:
            cursor.executemany(statements.load(statement), [line._asdict() for line in lines])

"""Words that take articles back -> their state, and what goes with an article that is erased."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from pipeline.records import WithdrawalKind
from sinks import statements
from sinks.rows import DeadLetterRow, WithdrawalRow


class TakenBack(NamedTuple):
    """What words did."""

    states: list[tuple[UUID, WithdrawalKind]]  # articles that are something else now than they were
    copies: set[UUID]  # articles that had the names of an erased one


def withdraw(connection: psycopg.Connection[Any], words: Sequence[WithdrawalRow]) -> TakenBack:
    """Store these words, one an article, where they are the last.

    Rows of all of them must be there and locked: whoever writes to one of them meanwhile then sees what it is.
    """
    arguments = {
        "article_ids": [word.article_id for word in words],
        "kinds": [word.kind for word in words],
        "reasons": [word.reason for word in words],
        "at": [word.at for word in words],
    }
    found = connection.execute(statements.load("withdraw_articles"), arguments).fetchall()
    states: list[tuple[UUID, WithdrawalKind]] = [
        (article_id, now or "restored") for article_id, was, now in sorted(found) if was != now
    ]
    erased = [article_id for article_id, now in states if now == "erased"]
    return TakenBack(states, _erase(connection, erased) if erased else set())


def _erase(connection: psycopg.Connection[Any], article_ids: list[UUID]) -> set[UUID]:
    """Take out all that is stored of these articles but that they were erased, and what was decided about them."""
    connection.execute(statements.load("lock_letters"))
    arguments = {"article_ids": article_ids, "keys": [str(article_id).encode() for article_id in article_ids]}
    copies = connection.execute(statements.load("delete_versions"), arguments).fetchall()
    connection.execute(statements.load("blank_articles"), arguments)
    connection.execute(statements.load("blank_letters"), arguments)
    return {article_id for (article_id,) in copies}


def share_letters(connection: psycopg.Connection[Any]) -> None:
    """Before dead letters are stored: those who erase articles wait, or are waited for (share_letters.sql)."""
    connection.execute(statements.load("share_letters"))


def insert_letters(connection: psycopg.Connection[Any], letters: Sequence[DeadLetterRow]) -> None:
    """Store dead letters, those of erased articles without what they hold. The lock must be held."""
    with connection.cursor() as cursor:
        cursor.executemany(statements.load("insert_dead_letter"), [letter._asdict() for letter in letters])
    connection.execute(statements.load("blank_late_letters"), {"ids": [letter.id for letter in letters]})

"""Taking back: withdraw hides an article from readers, restore shows it again, erase forgets its text for good."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.commands.common import Csv, Json, load_settings, plain, quiet_logs, show, talk
from pipeline.errors import Exit

if TYPE_CHECKING:
    from ops.withdraw import Asked, State
    from pipeline.records import WithdrawalKind

What = Annotated[str, typer.Argument(metavar="ID|URL", help="An article, version or delivery id, or a URL.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept, and readers see it.")]
WithCopies = Annotated[bool, typer.Option("--with-copies", help="The articles of others that have its text, too.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would be about, and send nothing.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until PostgreSQL has it.")]

_COLUMNS = ("article_id", "asked", "state", "known", "copies", "source", "title", "url")


def withdraw(
    what: What,
    reason: Reason,
    with_copies: WithCopies = False,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Take an article back (an agency kill, a takedown): no reader sees it any more. `news restore` undoes it."""
    _do("withdrawn", what, reason, with_copies, dry_run, no_wait, as_json, as_csv)


def restore(
    what: What,
    reason: Reason,
    with_copies: WithCopies = False,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show a withdrawn article again. What was erased cannot be restored."""
    _do("restored", what, reason, with_copies, dry_run, no_wait, as_json, as_csv)


def erase(
    what: What,
    reason: Reason,
    with_copies: WithCopies = False,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_wait: NoWait = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Forget an article for good (the right to erasure): its texts leave PostgreSQL and the index. No way back.

    It says what is left in Kafka and until when.
    """
    _do("erased", what, reason, with_copies, dry_run, no_wait, as_json, as_csv, asks=not yes)


def _do(
    kind: "WithdrawalKind",
    what: str,
    reason: str,
    with_copies: bool,
    dry_run: bool,
    no_wait: bool,
    as_json: bool,
    as_csv: bool,
    *,
    asks: bool = False,
) -> None:
    from ops import database, services, stages
    from ops import withdraw as taking_back
    from sinks import queries

    settings = load_settings()
    quiet_logs()
    why = taking_back.reason(reason)
    endpoints = services.find(settings)
    with database.connect(endpoints.database_url) as db:
        asked = taking_back.find(db, what, with_copies=with_copies)
        words = taking_back.records(kind, why, asked.targets, taking_back.now())
        for line in (*asked.notes, *_about_copies(asked, with_copies)):
            _say(line)
        if dry_run:
            now: dict[Any, State] = {target.article_id: target.state for target in asked.targets}
            _show(asked, {word.article_id for word in words}, kind, now, as_json=as_json, as_csv=as_csv)
            _remains(kind, settings)
            _say(f"nothing was sent: {len(words)} would be")
            return
        if words and asks and sys.stdin.isatty():
            typer.confirm(f"Erase {len(words)} article(s) for good?", abort=True, err=True)
        if words:
            taking_back.send(endpoints, words)
        applied = not words
        with stages.on_signal() as stop:
            if words and not no_wait:
                with talk.status("waiting for the sink") as status:
                    applied = taking_back.is_applied(
                        endpoints, db, stop, lambda left: status.update(f"waiting for the sink: {left} to read")
                    )
        states = queries.article_states(db, [target.article_id for target in asked.targets])
        after: dict[Any, State] = {
            article_id: taking_back.Target(article_id, state, ()).state if applied else "unapplied"
            for article_id, state in states.items()
        }
    _show(asked, {word.article_id for word in words}, kind, after, as_json=as_json, as_csv=as_csv)
    _remains(kind, settings)
    if not words:
        _say("it was erased before: nothing was sent")
    if not (applied or no_wait):
        _say("it is on articles.withdrawals, and the sink has not read it yet")
        raise typer.Exit(Exit.INTERRUPTED)


def _show(
    asked: "Asked", sent: set[Any], kind: str, states: dict[Any, "State"], *, as_json: bool, as_csv: bool
) -> None:
    rows = [
        {
            "article_id": target.article_id,
            "asked": kind if target.article_id in sent else None,
            "state": states.get(target.article_id, "unapplied"),
            "known": target.is_known,
            "copies": len(target.copies),
            "is_copy": target.is_copy,
            "source": target.known.source if target.known else None,
            "title": target.known.title if target.known else None,
            "url": target.known.url if target.known else None,
        }
        for target in asked.targets
    ]
    show(rows, _COLUMNS, as_json=as_json, as_csv=as_csv)


def _about_copies(asked: "Asked", with_copies: bool) -> list[str]:
    copies = asked.targets[0].copies
    if not copies:
        return []
    if with_copies:
        return [f"{len(copies):,} other articles have its text: they are meant too."]
    return [f"{len(copies):,} other articles have its text and stay as they are; --with-copies takes them too."]


def _remains(kind: "WithdrawalKind", settings: Any) -> None:
    from ops.withdraw import remains

    for line in remains(kind, settings):
        _say(line)


def _say(line: str) -> None:
    talk.print(plain(line), markup=False, highlight=False)

"""Feeding from the web once, in the foreground: what is other than polling for good."""

from dataclasses import dataclass, field
from datetime import datetime

from producers.net.fetch import PASSING
from producers.sources.answers import Failed, PageAnswer
from producers.sources.poll import PageOutcome
from producers.sources.state import WaitingPage, host_of


@dataclass(frozen=True, slots=True)
class OneOff:
    """Ask each source once and fetch its pages, then end; what could not be had is named in `failures`.

    A page that is away is left out, for it may be fed again; what can never be had is a dead letter, unless a person
    typed its address and is told.
    """

    retry_seconds: tuple[float, ...]
    since: datetime | None = None
    is_typed: bool = False
    failures: list[tuple[str, Failed]] = field(default_factory=list)
    refused: dict[str, Failed] = field(default_factory=dict)
    """Hosts that want to be left alone for longer than anybody waits."""

    def retries(self, page: WaitingPage, answer: PageAnswer) -> tuple[float, ...]:
        """After how many seconds each a page that is away is tried again."""
        said_by = answer.found.host if isinstance(answer.found, Failed) else None
        return () if {host_of(page.entry.url or ""), said_by} & self.refused.keys() else self.retry_seconds

    def leaves_out(self, outcome: PageOutcome) -> Failed | None:
        """Why a page is left out; None where something came of it."""
        failed = outcome.failed
        if outcome.end != "dead-letter" or not isinstance(failed, Failed):
            return None
        return failed if self.is_typed or failed.why in PASSING else None

"""What there is to do, and what a thread is given of it: a source or a page to ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pipeline import identity, logs
from producers.net.fetch import Why
from producers.sources.answers import Answer, Failed, PageAnswer
from producers.sources.state import WaitingPage

BUG_PAUSE_SECONDS: Final = 1.0
#: Of what an error says of itself; some quote all that they were given.
MOST_SAID: Final = 300

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Poll:
    """A source to ask."""

    name: str


@dataclass(frozen=True, slots=True)
class Pages:
    """A host that has pages to fetch; one of them is fetched, then it stands in its line anew."""

    host: str


Job = Poll | Pages


@dataclass(frozen=True, slots=True)
class Task:
    """What a thread is to ask, and what it brought."""

    host: str
    job: Job
    ask: Callable[[], Answer | PageAnswer]
    url: str
    page: WaitingPage | None = None
    wished_at: datetime | None = None
    """Of a poll that somebody wants: which wish it grants."""
    is_walk: bool = False

    def broken(self, error: Exception) -> Answer | PageAnswer:
        """What is brought instead, where asking shows a bug."""
        now, failed = datetime.now(UTC), broken(self.url, error)
        if self.page is not None:
            return PageAnswer(now, failed, BUG_PAUSE_SECONDS)
        return Answer(self.url, now, failed, BUG_PAUSE_SECONDS)


def broken(what: str, error: Exception) -> Failed:
    """What a bug of ours about one source or page comes to: all of it in the log, and a failure of that one alone."""
    _log.error("a bug: what a stranger said could not be handled", what=what, exc_info=error)
    said = " ".join(identity.printable(f"{type(error).__name__}: {error}").split())[:MOST_SAID]
    sentence = f"What came could not be handled ({said}); this is a bug, the log has more."
    return Failed(Why.BAD_RESPONSE, sentence)

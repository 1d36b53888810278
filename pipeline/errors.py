"""What can go wrong, and what each error makes its caller do.

    NewsError
    ├── InvalidRecord    this record can never succeed: dead letter, go on
    ├── Unavailable      a service is away: back off, same work again (exit 69 from a command)
    ├── SettingError     a setting or an argument is wrong: say which one, exit 2
    └── Stop             going on would guess or forget: say why and what to do, exit 1

Anything else is a bug: the process logs it and ends before anything is acknowledged.
"""

from enum import StrEnum


class Exit:
    """Exit codes of every `news` command (docs/operations.md)."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    SOME_DEAD_LETTERED = 3
    BUG = 70  # a stage ended itself before acknowledging; the supervisor starts it again
    SERVICE_AWAY = 69
    INTERRUPTED = 130


class Reason(StrEnum):
    """Why a record became a dead letter: a closed set, used as a metric label and in SQL."""

    EMPTY = "empty"
    NOT_UTF8 = "not-utf-8"
    NOT_JSON = "not-json"
    WRONG_SHAPE = "wrong-shape"
    NO_TEXT = "no-text"
    TOO_LARGE = "too-large"
    UNREADABLE = "unreadable"
    UNFETCHABLE = "unfetchable"
    UNSUPPORTED = "unsupported"
    UNKNOWN_VERSION = "unknown-version"
    CRASHED = "crashed"
    POISON = "poison"
    ROW_REFUSED = "row-refused"


class NewsError(Exception):
    """A failure that a person can read; the message is one or two plain sentences."""

    exit_code = Exit.FAILURE


class InvalidRecord(NewsError):
    """This record can never succeed: it goes to the dead letters with its reason, its neighbours go on."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Unavailable(NewsError):
    """A service is away: back off and do the same work again."""

    exit_code = Exit.SERVICE_AWAY


class SettingError(NewsError):
    """A setting, an argument or a file named by one is wrong; the message names it and the remedy."""

    exit_code = Exit.USAGE


class Stop(NewsError):
    """Going on would guess, double or forget: the message says what was found and the remedy."""

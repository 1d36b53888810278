"""What a sender calls a date -> a time in UTC, or a note that says what is wrong with it.

One set of rules for everything that is fed: a date without a zone is taken as UTC; one before the first newspaper, or
more than a day after the article was observed, is left out. A bad date spoils the date, not the article.

Feeds are read more freely than fields: named zones, two-digit years, month names of many languages, seconds since
1970; and the zero of computers is no date. Where a form can mean two days (03/04/2026) it is no date either.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Final

from feedparser.datetimes.hungarian import _parse_date_hungarian
from feedparser.datetimes.korean import _parse_date_nate, _parse_date_onblog

from producers.formats.wording import quoted

#: The first printed news relation is of 1605: an earlier date is a zero or a slip of the pen.
EARLIEST_YEAR: Final = 1600
AFTER_OBSERVED: Final = timedelta(days=1)
LEFT_OUT: Final = "It was left out"

Parser = Callable[[str], datetime]
"""Raises ValueError, TypeError, IndexError or OverflowError for what it cannot read."""

# ISO 8601, and the e-mail dates of RSS.
PLAIN: Final[tuple[Parser, ...]] = (datetime.fromisoformat, parsedate_to_datetime)

#: A text longer than this is no date, and not worth the time of ten parsers.
MAX_LENGTH: Final = 100

# In hours east; what RFC 822 names, and what else feeds write. Where a name has several meanings, that of most news.
_ZONES: Final = {
    "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "AST": -4, "ADT": -3, "NST": -3.5, "NDT": -2.5,
    "BRT": -3, "ART": -3, "WEST": 1, "BST": 1, "CET": 1, "MEZ": 1, "MET": 1, "WAT": 1, "CEST": 2, "MESZ": 2, "MEST": 2,
    "EET": 2, "SAST": 2, "CAT": 2, "EEST": 3, "MSK": 3, "EAT": 3, "TRT": 3, "GST": 4, "PKT": 5, "IST": 5.5,
    "NPT": 5.75, "ICT": 7, "WIB": 7, "SGT": 8, "HKT": 8, "AWST": 8, "JST": 9, "KST": 9, "ACST": 9.5, "AEST": 10,
    "ACDT": 10.5, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
# By their first letters, without accents: English, German, French, Spanish, Italian, Portuguese, Dutch, the Nordic
# languages, Polish, Turkish, Russian, Greek.
_MONTHS: Final = {
    beginning: month
    for month, beginnings in enumerate(
        ("jan ene gen sty oca янв ιαν", "feb fev lut sub фев φεβ", "mar mae mrt мар μαρ", "apr avr abr kwi nis апр απρ",
         "may mai mag mei maj мая маи μαι", "jun juin giu cze haz июн ιουν", "jul juil lug lip tem июл ιουλ",
         "aug aou ago sie agu авг αυγ", "sep set wrz eyl сен σεπ", "oct okt ott out paz eki окт οκτ",
         "nov lis kas ноя νοε", "dec dez dic des gru ara дек δεκ"),
        start=1,
    )
    for beginning in beginnings.split()
}  # fmt: skip
_CLOCK: Final = (
    r"(?:,?\s*(?:at|[-–T])?\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"(?:\s*(?P<half>[ap])\.?m\b\.?)?)?"
    r"\s*(?:(?:GMT|UTC?)?\s*(?P<offset>[+-]\d{1,2}(?::?\d{2})?)(?:\s*\([\w ]+\))?|\(?(?P<zone>[A-Z]{1,4})\)?)?"
)
_FORMS: Final = tuple(
    re.compile(form + _CLOCK, re.IGNORECASE)
    for form in (
        r"(?:[^\W\d]+\.?,?\s*)?(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|\.)?[\s-]+(?:de\s+)?(?P<name>[^\W\d]{3,12})\.?,?"
        r"[\s-]+(?:de\s+)?(?P<year>\d{4}|\d{2})\b",
        r"(?:[^\W\d]+\.?,\s*)?(?P<name>[^\W\d]{3,12})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})\b",
        r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})\b",
        r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})\b",
        # With strokes only where one of the two numbers can be no month.
        r"(?P<day>1[3-9]|2\d|3[01])/(?P<month>0?[1-9]|1[0-2])/(?P<year>\d{4})\b",
        r"(?P<month>0?[1-9]|1[0-2])/(?P<day>1[3-9]|2\d|3[01])/(?P<year>\d{4})\b",
    )
)
_SECONDS: Final = re.compile(r"\d{9,10}|\d{13}", re.ASCII)
_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}.*", re.ASCII)


def time_of(
    value: object, name: str, notes: list[str], *, instead: str = LEFT_OUT, parsers: tuple[Parser, ...] = PLAIN
) -> datetime | None:
    """The time in UTC; None where there is none, or none that can be: then a note says so, and what was done instead.

    `name` is the field's, for the note.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    time = next((t for parse in parsers if (t := _parsed(parse, value)) is not None), None)
    if time is None:
        notes.append(f"{name}: {quoted(value)} is no date that can be read. {instead}.")
        return None
    if time.tzinfo is None:
        notes.append(f"{name}: {quoted(value)} has no time zone; it was taken as UTC.")
        time = time.replace(tzinfo=UTC)
    try:
        time = time.astimezone(UTC)
    except OverflowError:  # year 1 or 9999, on the other side of the world
        notes.append(f"{name}: {quoted(value)} is no date that can be read. {instead}.")
        return None
    if time.year < EARLIEST_YEAR:
        notes.append(f"{name}: {quoted(value)} is before the first newspaper. {instead}.")
        return None
    return time


def time_before(
    value: object, name: str, observed: datetime, notes: list[str], *, parsers: tuple[Parser, ...] = PLAIN
) -> datetime | None:
    """The same, and left out with a note where it is more than a day after `observed`."""
    time = time_of(value, name, notes, parsers=parsers)
    if time is not None and time > observed + AFTER_OBSERVED:
        notes.append(f"{name}: {quoted(value)} is more than a day after the article was observed. {LEFT_OUT}.")
        return None
    return time


def time_in_feed(value: str | None, name: str, now: datetime, notes: list[str]) -> datetime | None:
    """The time that a feed gives, read as freely as feeds write."""
    return time_before(value, name, now, notes, parsers=IN_FEEDS)


def _parsed(parse: Parser, value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return parse(value.strip())
    except (ValueError, TypeError, IndexError, OverflowError):  # what parsedate_to_datetime raises depends on the slip
        return None


def _iso(text: str) -> datetime:
    if not _ISO.fullmatch(text):  # the compact forms make a date of almost any number
        raise ValueError("not this form")
    return datetime.fromisoformat(text)


def _written(text: str) -> datetime:
    """Mon, 23 Nov 2026 10:00:00 CET; November 3rd, 2026 9:05 pm; 3 févr. 26; 2026/11/3 9:05; 23.11.2026."""
    for form in _FORMS:
        if found := form.fullmatch(text):
            break
    else:
        raise ValueError("none of these forms")
    parts = found.groupdict()
    year, hour = int(parts["year"]), int(parts["hour"] or 0)
    if len(parts["year"]) == 2:
        year += 1900 if year >= 69 else 2000  # as POSIX has it
    if parts["half"]:
        hour = hour % 12 + (12 if parts["half"].lower() == "p" else 0)
    month = _month(parts["name"]) if parts.get("name") else int(parts["month"])
    second = min(int(parts["second"] or 0), 59)  # a leap second
    return datetime(year, month, int(parts["day"]), hour, int(parts["minute"] or 0), second, tzinfo=_zone(parts))


def _month(name: str) -> int:
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.lower().replace("ı", "i")) if c.isalpha())
    month = _MONTHS.get(plain[:4]) or _MONTHS.get(plain[:3])
    if month is None:
        raise ValueError(f"no month: {name}")
    return month


def _zone(parts: dict[str, str]) -> timezone | None:
    if parts["offset"]:
        sign, digits = parts["offset"][0], parts["offset"][1:].replace(":", "")
        hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
        east = timedelta(hours=hours, minutes=minutes)
        return timezone(-east if sign == "-" else east)
    if parts["zone"]:
        name = parts["zone"].upper()
        if name not in _ZONES:
            raise ValueError(f"no zone: {name}")
        return timezone(timedelta(hours=_ZONES[name]))
    return None


def _seconds(text: str) -> datetime:
    """Seconds or milliseconds since 1970."""
    if not _SECONDS.fullmatch(text):
        raise ValueError("not this form")
    return datetime.fromtimestamp(int(text) / (1000 if len(text) == 13 else 1), tz=UTC)


def _as_feedparser_does(text: str) -> datetime:
    # Only its handlers of one form each: its others make a date of the 31st of February, or of a year alone.
    for read in (_parse_date_hungarian, _parse_date_onblog, _parse_date_nate):
        try:
            found = read(text)
        except (KeyError, AttributeError):
            continue
        if found is not None:
            year, month, day, hour, minute, second = found[:6]
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    raise ValueError("not a form that feedparser knows")


def _email(text: str) -> datetime:
    if "-000" in text:  # "-0001", the zero date of some databases, would become the year 2000
        raise ValueError("year -1")
    return parsedate_to_datetime(text)


def _no_zero(parse: Parser) -> Parser:
    def read(text: str) -> datetime:
        if len(text) > MAX_LENGTH:
            raise ValueError("too long")
        time = parse(text)
        if time.year == 1970 and time.replace(tzinfo=None) == datetime(1970, 1, 1):  # noqa: DTZ001
            raise ValueError("the zero of computers")
        return time

    return read


IN_FEEDS: Final[tuple[Parser, ...]] = tuple(map(_no_zero, (_iso, _written, _seconds, _as_feedparser_does, _email)))

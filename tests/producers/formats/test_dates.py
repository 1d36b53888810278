from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.formats import dates

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def read(text: str | None) -> tuple[datetime | None, list[str]]:
    notes: list[str] = []
    return dates.time_in_feed(text, "published_at", NOW, notes), notes


def at(*parts: int) -> datetime:
    year, month, day, *clock = parts
    return datetime(year, month, day, tzinfo=UTC) + timedelta(
        **dict(zip(("hours", "minutes", "seconds"), clock, strict=False))
    )


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("Mon, 23 Nov 2026 10:00:00 +0100", at(2026, 11, 23, 9)),
        ("Mon, 23 Nov 2026 10:00:00 GMT", at(2026, 11, 23, 10)),
        ("Mon, 23 Nov 2026 10:00:00 -0000", at(2026, 11, 23, 10)),
        ("Mon,23 Nov 2026 10:00 Z", at(2026, 11, 23, 10)),
        ("23 Nov 26 10:00 EST", at(2026, 11, 23, 15)),
        ("Tue, 3 Mar 98 10:00:00 GMT", at(1998, 3, 3, 10)),
        ("Mon, 23 Nov 2026 10:00:00 CET", at(2026, 11, 23, 9)),
        ("Mon, 23 Nov 2026 10:00:00 IST", at(2026, 11, 23, 4, 30)),
        ("Mon, 23 Nov 2026 10:00:00 GMT+1", at(2026, 11, 23, 9)),
        ("Mon, 23 Nov 2026 10:00:00 +01:00", at(2026, 11, 23, 9)),
        ("Mon, 23 Nov 2026 08:00:00 +0000 (UTC)", at(2026, 11, 23, 8)),
        ("23 Nov 2026 09:30:00 PM EST", at(2026, 11, 24, 2, 30)),
        ("  Mon, 23 Nov 2026\n 10:00:00 GMT ", at(2026, 11, 23, 10)),
        ("2026-11-23T10:00:00Z", at(2026, 11, 23, 10)),
        ("2026-11-23T10:00:00.25+01:00", at(2026, 11, 23, 9) + timedelta(milliseconds=250)),
        ("2026-11-23T10:00:00+0100", at(2026, 11, 23, 9)),
        ("2026/11/3 9:05 +0100", at(2026, 11, 3, 8, 5)),
        ("lun., 23 nov. 2026 10:00:00 +0100", at(2026, 11, 23, 9)),
        ("Mo, 3 Mär 2026 10:00:00 +0100", at(2026, 3, 3, 9)),
        ("Пн, 23 ноя 2026 10:00:00 +0300", at(2026, 11, 23, 7)),
        ("Κυρ, 22 Νοε 2026 10:00:00 EET", at(2026, 11, 22, 8)),
        ("2026년 11월 23일  10:00:00", at(2026, 11, 23, 1)),
        ("1763890000", at(2025, 11, 23, 9, 26, 40)),
        ("1763890000000", at(2025, 11, 23, 9, 26, 40)),
    ],
)
def test_a_date_of_a_feed_is_read(text: str, time: datetime) -> None:
    assert read(text) == (time, [])


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-23", at(2026, 11, 23)),
        ("2026-11-23 10:00:00", at(2026, 11, 23, 10)),
        ("Mon, 23 Nov 2026", at(2026, 11, 23)),
        ("November 3rd, 2026 9:05 pm", at(2026, 11, 3, 21, 5)),
        ("12:00", None),
        ("20 de noviembre de 2026 09:10", at(2026, 11, 20, 9, 10)),
        ("20 Kasım 2026", at(2026, 11, 20)),
        ("23.11.2026 10:00", at(2026, 11, 23, 10)),
        ("11/23/2026 10:00:00 AM", at(2026, 11, 23, 10)),
        ("23/11/2026", at(2026, 11, 23)),
        ("Mon, 23 Nov 2026 10:00:00 Europe/Berlin", at(2026, 11, 23, 10)),
    ],
)
def test_a_date_without_a_zone_is_taken_as_utc_and_noted(text: str, time: datetime | None) -> None:
    found, notes = read(text)

    assert found == time
    assert ("no time zone; it was taken as UTC" in notes[0]) is (time is not None)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("yesterday", "is no date"),
        ("03/04/2026", "is no date"),
        ("2026", "is no date"),
        ("20261123", "is no date"),
        ("2026-02-31T10:00:00Z", "is no date"),
        ("Mon, 31 Feb 2026 10:00:00 GMT", "is no date"),
        ("Mon, 23 Nov 2026 25:61:00 GMT", "is no date"),
        ("Mon, 23 Nov 2026 10:00:00 +9999", "is no date"),
        ("0000-00-00 00:00:00", "is no date"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "is no date"),
        ("1970-01-01T00:00:00Z", "is no date"),
        ("0", "is no date"),
        ("9999-12-31T23:59:59-12:00", "is no date"),
        ("x" * 100_000, "is no date"),
        ("Mon, 30 Nov -0001 00:00:00 +0000", "before the first newspaper"),
        ("1599-12-31T00:00:00Z", "before the first newspaper"),
        ("2026-11-25T00:00:00Z", "more than a day after"),
    ],
)
def test_what_can_be_no_date_is_left_out_and_noted(text: str, note: str) -> None:
    found, notes = read(text)

    assert found is None
    assert len(notes) == 1
    assert note in notes[0]
    assert len(notes[0]) < 200


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_no_date_is_no_mistake(text: str | None) -> None:
    assert read(text) == (None, [])


@settings(deadline=None)
@given(st.text() | st.text("0123456789-:/., +TZGMTapmNovJan", max_size=40) | st.datetimes().map(datetime.isoformat))
def test_any_text_is_a_time_in_utc_or_noted(text: str) -> None:
    found, notes = read(text)

    assert found is None or (found.utcoffset() == timedelta(0) and found <= NOW + dates.AFTER_OBSERVED)
    assert found is not None or bool(notes) is bool(text.strip())

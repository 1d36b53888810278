"""What people call a moment -> a time in UTC: a date, a time, or how long ago."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.errors import SettingError

_AGE: Final = re.compile(r"(\d{1,6})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(option: str, given: str | None, now: datetime | None = None) -> datetime | None:
    """`2026-03-01`, `2026-03-01T12:00+01:00` (without a zone: UTC), or an age: `90s`, `10m`, `2h`, `7d`, `4w`.

    Raises SettingError naming the option.
    """
    if given is None:
        return None
    try:
        if age := _AGE.fullmatch(given.strip()):
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        when = datetime.fromisoformat(given.strip())
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise SettingError(
            f"{option} is a date or a time in ISO 8601, such as 2026-03-01, or an age, such as 7d, not {given!r}."
        ) from None

"""Names of many articles -> the rows of ingest.entity_register: who is the same, purely by what the records say.

Two names are one where they are the same words (upper or lower case, Unicode's variants and white space aside) with the
same label, or where the watch list gave both the same id. Nothing is guessed beyond that.
"""

import hashlib
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

#: So many forms of one name are kept, the shortest first; which ones does not hang on the order in which they came.
#: upsert_register.sql and migration 0006 have the same number.
MAX_ALIASES: Final = 100
#: The name that is compared, cut: compatibility characters may make it many times as long.
MAX_NORMALISED: Final = 500
#: The names of the day come again and again.
_REMEMBERED: Final = 1 << 15


class RegisterRow(NamedTuple):
    """ingest.entity_register: known by its name and label, or by its id of the watch list."""

    id: UUID
    name: str | None
    label: str | None
    watch_id: str | None
    first_seen_at: datetime
    aliases: list[str]


@lru_cache(maxsize=_REMEMBERED)
def normalised(name: str) -> str:
    """The name as compared: compatibility forms, case and white space do not count (migration 0006 does the same)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(folded.split())[:MAX_NORMALISED]


@lru_cache(maxsize=_REMEMBERED)
def register_id(name: str, label: str, watch_id: str | None) -> UUID:
    """The same for the same name and label, or watch-list id, in every process, and in migration 0006."""
    key = f"name\n{label}\n{normalised(name)}" if watch_id is None else f"watch\n{watch_id}"
    digest = bytearray(hashlib.sha256(key.encode(errors="surrogatepass")).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80  # UUIDv8: RFC 9562 §5.8
    digest[8] = digest[8] & 0x3F | 0x80
    return UUID(bytes=bytes(digest))


def row(
    name: str, label: str, watch_id: str | None, first_seen_at: datetime, aliases: Iterable[str] = ()
) -> RegisterRow:
    """What one entity of one record says. A watch-list id stands alone: its name and label are the file's to change."""
    known = register_id(name, label, watch_id)
    forms = [name, *aliases]
    if watch_id is None:
        return RegisterRow(known, normalised(name), label, None, first_seen_at, forms)
    return RegisterRow(known, None, None, watch_id, first_seen_at, forms)


def merged(rows: Iterable[RegisterRow]) -> list[RegisterRow]:
    """One row each: first seen is the earliest, aliases are a set. Sorted: so two sinks never wait for each other."""
    first: dict[UUID, RegisterRow] = {}
    forms: dict[UUID, set[str]] = {}
    for each in rows:
        known = first.setdefault(each.id, each)
        if each.first_seen_at < known.first_seen_at:
            first[each.id] = known._replace(first_seen_at=each.first_seen_at)
        forms.setdefault(each.id, set()).update(each.aliases)
    return [
        first[known]._replace(aliases=sorted(forms[known], key=lambda form: (len(form), form))[:MAX_ALIASES])
        for known in sorted(first, key=lambda known: known.bytes)
    ]

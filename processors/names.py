"""Spans that the model found, and what of them is the name; pure."""

from typing import Final, NamedTuple

from processors import wordlists

#: What readers look for; dates, numbers and amounts are not names.
LABELS: Final = frozenset(
    {"PERSON", "ORG", "GPE", "LOC", "FAC", "NORP", "EVENT", "PRODUCT", "WORK_OF_ART", "LAW", "LANGUAGE"}
)
MAX_NAME: Final = 200

_ARTICLES: Final = ("the ", "a ", "an ")
#: Soft hyphen, zero-width characters, marks that turn the direction of text.
_INVISIBLE: Final = (
    "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
_EDGES: Final = " \t\n\r.,;:!?\"'“”‘’()[]{}<>«»–—-_*/\\|" + _INVISIBLE
_NOT_IN_NAMES: Final = dict.fromkeys(map(ord, _INVISIBLE))


class Found(NamedTuple):
    """A span of the published text with the model's label."""

    start: int
    end: int
    label: str


class Watched(NamedTuple):
    """A span of the published text that an entry of the watch list names."""

    start: int
    end: int
    label: str
    id: str
    name: str


def trimmed(text: str, found: Found, is_wrapped: bool = False) -> Found | None:
    """The span without a leading article, a trailing possessive, punctuation and what follows a line break.

    Of a wrapped text a name goes on behind one line break.
    """
    start, end, label = found
    start = _without_edges(text, start, end)
    known = wordlists.load()
    for article in _ARTICLES:
        name = text[start:end].lower()
        if name.startswith(article) and " ".join(name.split()[:2]) not in known.with_article:
            start = _without_edges(text, start + len(article), end)
            break
    newline = text.find("\n\n" if is_wrapped else "\n", start, end)
    end = newline if newline >= 0 else end
    while True:
        name = text[start:end]
        if name.endswith(("'s", "’s")) and not name.lower().replace("’", "'").endswith(known.with_possessive):
            end -= 2
        elif end > start and text[end - 1] in _EDGES and not _closes_an_abbreviation(text[start:end]):
            end -= 1
        else:
            break
    name = text[start:end]
    if not 1 < len(name) <= MAX_NAME or not any(map(str.isalpha, name)):
        return None
    return Found(start, end, label)


def _without_edges(text: str, start: int, end: int) -> int:
    while start < end and text[start] in _EDGES:
        start += 1
    return start


def name_of(text: str, found: Found) -> str:
    """The words of a span as one name: single spaces, nothing invisible."""
    words = text[found.start : found.end]
    return " ".join((words if words.isascii() else words.translate(_NOT_IN_NAMES)).split())


def _closes_an_abbreviation(name: str) -> bool:
    """The last full stop of "U.S." and of "Apple Inc." belongs to the name."""
    if len(name) < 3 or not name.endswith("."):
        return False
    return name[-3] == "." or name[-12:-1].rpartition(" ")[2].lower() in wordlists.load().abbreviations

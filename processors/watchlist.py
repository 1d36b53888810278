"""The watch list: names, tickers and patterns that a user declares -> where they stand in a text, with the user's ids.

One file in TOML (docs/watch-list.md). What is in it is found exactly, whether a model sees it or not.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import re2
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import SettingError
from processors.names import LABELS, MAX_NAME, Watched

SETTING: Final = "NEWS_NLP__WATCH_LIST"
#: Part of the digest: raised when the same file comes to find other spans than before.
RULES_VERSION: Final = 1

MAX_FILE_BYTES: Final = 32 << 20
MAX_ENTRIES: Final = 50_000
MAX_NAMES: Final = 100  # of one entry
MAX_PATTERNS: Final = 20  # of one entry
MAX_PATTERNS_IN_ALL: Final = 1000
MAX_PATTERN: Final = 500  # characters
#: A pattern may match so often in one text; each look for the next match may read on to its end.
MAX_MATCHES: Final = 500
#: A ticker of so few letters is a word too: it counts only where the text marks it as a ticker.
SHORT_TICKER: Final = 2

_TICKER: Final = re.compile(r"[A-Z0-9][A-Z0-9.\-^=]{0,19}")
#: "$F", "NYSE: F", "Nasdaq:F"; brackets are seen to apart.
_MARKED: Final = re.compile(r"(?:\$|\b[A-Z][A-Za-z]{1,9}:[ \u00a0]?)\Z")
#: Between them these hold every place at which a pattern can match nothing.
_PROBES: Final = tuple(before + after for before in ("", "\n", "a", "-") for after in ("", "\n", "a", "-"))
_PATTERN_MEMORY: Final = 1 << 20
_SET_MEMORY: Final = 64 << 20


def _words(text: str) -> str:
    text = " ".join(text.split())
    if not any(map(str.isalnum, text)):
        raise ValueError("a name has at least one letter or digit")
    return text


def _id(identifier: str) -> str:
    if not identifier.isprintable() or " " in identifier:
        raise ValueError("an id has no spaces and nothing invisible")
    return identifier


def _label(label: str) -> str:
    if label not in LABELS:
        raise ValueError(f"there is no label {label!r}: it is one of {', '.join(sorted(LABELS))}")
    return label


def _ticker(ticker: str) -> str:
    if _TICKER.fullmatch(ticker) is None:
        raise ValueError(f"{ticker!r} is no ticker: capital letters, digits and . - ^ = as in BRK.B")
    return ticker


def _pattern(pattern: str) -> str:
    compiled = _compiled(pattern)
    if any(found.start() == found.end() for probe in _PROBES for found in compiled.finditer(probe)):
        raise ValueError(f"the pattern {pattern!r} matches where nothing stands")
    return pattern


def _compiled(pattern: str, ignore_case: bool = False) -> Any:
    """Raises ValueError where re2, which takes only what it can match in linear time, refuses the pattern."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY
    options.case_sensitive = not ignore_case
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else error
        raise ValueError(f"re2 does not take the pattern {pattern!r}: {reason}") from None


Name = Annotated[str, Field(max_length=MAX_NAME), AfterValidator(_words)]


class Entry(BaseModel):
    """One `[[entry]]`: somebody or something, and all that it is called."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(_id)]
    name: Name
    label: Annotated[str, AfterValidator(_label)]
    aliases: tuple[Name, ...] = Field((), max_length=MAX_NAMES)
    tickers: tuple[Annotated[str, AfterValidator(_ticker)], ...] = Field((), max_length=MAX_NAMES)
    patterns: tuple[Annotated[str, Field(max_length=MAX_PATTERN), AfterValidator(_pattern)], ...] = Field(
        (), max_length=MAX_PATTERNS
    )
    ignore_case: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Its name and its aliases, each once."""
        return tuple(dict.fromkeys((self.name, *self.aliases)))


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    entry: tuple[Entry, ...] = Field(max_length=MAX_ENTRIES)


@dataclass(frozen=True, slots=True)
class Entries:
    """What a file declares, checked. `digest` is the same for files that find the same."""

    entries: tuple[Entry, ...]
    digest: str


def load(path: Path) -> Entries:
    """Read and check a watch list. Raises SettingError naming the setting, the file, the entry and what is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SettingError(f"{SETTING}: {path} cannot be read: {error.strerror or error}.") from None
    if len(data) > MAX_FILE_BYTES:
        raise SettingError(f"{SETTING}: {path} is larger than {MAX_FILE_BYTES >> 20} MiB.")
    try:
        return entries_of(tomllib.loads(data.decode()))
    except UnicodeDecodeError as error:
        raise SettingError(f"{SETTING}: {path} is not UTF-8 (byte {error.start}).") from None
    except RecursionError:
        raise SettingError(f"{SETTING}: {path} is no TOML that anybody wrote: it is nested too deep.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{SETTING}: {path} is no TOML: {error}.") from None
    except ValueError as error:
        raise SettingError(f"{SETTING}: {path}: {error}.") from None


def entries_of(data: dict[str, Any]) -> Entries:
    """The entries of a file as TOML has it. Raises ValueError that names the entry and what is wrong with it."""
    try:
        entries = _File.model_validate(data).entry
    except ValidationError as error:
        problems = error.errors(include_url=False)
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ValueError(f"{_where(data, first['loc'])}: {_plain(first['msg'])}{more}") from None
    _refuse_doubles(entries)
    if sum(len(entry.patterns) for entry in entries) > MAX_PATTERNS_IN_ALL:
        raise ValueError(f"there are more than {MAX_PATTERNS_IN_ALL} patterns")
    return Entries(entries, _digest(entries))


def _where(data: dict[str, Any], location: Sequence[int | str]) -> str:
    match location:
        case ["entry", int(number), *field]:
            entry = data["entry"][number]
            known = entry.get("id") if isinstance(entry, dict) else None
            return ", ".join([f"entry {number + 1}{f' ({known!r})' if known else ''}", *map(str, field[:1])])
        case _:
            return " ".join(map(str, location)) or "the file"


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").rstrip(".")


def _refuse_doubles(entries: Iterable[Entry]) -> None:
    """An id is declared once, and a name is the name of one entry: which one a text means would be a guess."""
    ids: set[str] = set()
    owners: dict[tuple[str, bool], Entry] = {}
    for entry in entries:
        if entry.id in ids:
            raise ValueError(f"the id {entry.id!r} is declared twice")
        ids.add(entry.id)
        names = [(name.lower() if entry.ignore_case else name, entry.ignore_case) for name in entry.names]
        for name in (*names, *((ticker, False) for ticker in entry.tickers)):
            other = owners.setdefault(name, entry)
            if other is not entry:
                raise ValueError(f"{name[0]!r} is a name of {other.id!r} and of {entry.id!r}: leave it to one of them")


def _digest(entries: Iterable[Entry]) -> str:
    contents = sorted(
        [
            entry.id,
            entry.name,
            entry.label,
            sorted(entry.names),
            sorted(set(entry.tickers)),
            sorted(set(entry.patterns)),
            entry.ignore_case,
        ]
        for entry in entries
    )
    written = json.dumps([RULES_VERSION, contents], separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def tokenizer(language: str | None) -> Any:
    """A spaCy pipeline that only finds words, for texts without a model: the language's own, else the one for many."""
    import spacy

    try:
        return spacy.blank(language or "xx")
    except ImportError:  # a language that spaCy does not know, or whose tokenizer is a package that is not here
        return spacy.blank("xx")


class _Phrase(NamedTuple):
    """What a matcher's key stands for."""

    entry: int
    is_ticker: bool
    past_end: int  # characters of the matched words behind the name: the full stop in "Malcolm X."


class _Candidate(NamedTuple):
    start: int
    end: int
    rank: int  # as written, in any case, by a pattern
    entry: int


class WatchList:
    """The entries, ready to be found in documents of one spaCy pipeline (its words are its tokenizer's)."""

    def __init__(self, entries: Entries, nlp: Any) -> None:
        from spacy.matcher import PhraseMatcher

        self._entries = entries.entries
        self._nlp = nlp
        self._phrases: dict[int, _Phrase] = {}
        self._exact = PhraseMatcher(nlp.vocab, attr="ORTH")
        self._any_case = PhraseMatcher(nlp.vocab, attr="LOWER")
        for number, entry in enumerate(self._entries):
            for name in entry.names:
                self._add(self._any_case if entry.ignore_case else self._exact, number, name)
            for ticker in entry.tickers:
                self._add(self._exact, number, ticker, is_ticker=True)
        patterns = [(i, pattern) for i, entry in enumerate(self._entries) for pattern in entry.patterns]
        self._patterns = [(i, _compiled(pattern, self._entries[i].ignore_case)) for i, pattern in patterns]
        self._any_pattern = _set_of([(pattern, self._entries[i].ignore_case) for i, pattern in patterns])

    def _add(self, matcher: Any, number: int, name: str, is_ticker: bool = False) -> None:
        words = self._nlp.make_doc(name)
        self._add_phrase(matcher, _Phrase(number, is_ticker, 0), words)
        # At the end of a sentence "Malcolm X." and "Apple Inc." end in one word with the full stop.
        *_, last = name.split()
        if self._nlp.make_doc(last + ".")[-1].text != ".":
            self._add_phrase(matcher, _Phrase(number, is_ticker, 1), self._nlp.make_doc(name + "."))

    def _add_phrase(self, matcher: Any, phrase: _Phrase, words: Any) -> None:
        key = f"watch-list {phrase.entry} {phrase.is_ticker:d} {phrase.past_end}"
        self._phrases[self._nlp.vocab.strings.add(key)] = phrase
        matcher.add(key, [words])

    def find(self, doc: Any, text: str) -> list[Watched]:
        """Where the entries stand in `text`, whose document is `doc`: the longest first, none over another, in order.

        Of two as long the earlier one counts, then a name before a pattern, then the entry declared first.
        """
        candidates = sorted(
            {*self._names(doc, text), *self._matches(text)},
            key=lambda c: (c.start - c.end, c.start, c.rank, c.entry),
        )
        if not candidates:
            return []
        taken = bytearray(len(text))
        kept = []
        for start, end, _, number in candidates:
            if taken.find(1, start, end) < 0:
                taken[start:end] = b"\1" * (end - start)
                entry = self._entries[number]
                kept.append(Watched(start, end, entry.label, entry.id, entry.name))
        return sorted(kept)

    def _names(self, doc: Any, text: str) -> Iterator[_Candidate]:
        words = [token for token in doc if not token.is_space or token.text.count("\n") > 1]
        if len(words) < len(doc):  # a name may be broken over two lines, but not over two paragraphs
            from spacy.tokens import Doc

            doc = Doc(doc.vocab, words=[word.text for word in words])
        for rank, matcher in enumerate((self._exact, self._any_case)):
            for key, first, after in matcher(doc):
                number, is_ticker, past_end = self._phrases[key]
                last = words[after - 1]
                start, end = words[first].idx, last.idx + len(last) - past_end
                if not is_ticker or end - start > SHORT_TICKER or _is_marked(text, start, end):
                    yield _Candidate(start, end, rank, number)

    def _matches(self, text: str) -> Iterator[_Candidate]:
        for which in self._any_pattern(text):
            number, pattern = self._patterns[which]
            for found in islice(pattern.finditer(text), MAX_MATCHES):
                if found.end() - found.start() <= MAX_NAME and any(map(str.isalnum, found.group())):
                    yield _Candidate(found.start(), found.end(), 2, number)


def _is_marked(text: str, start: int, end: int) -> bool:
    if text[start - 1 : start] == "(" and text[end : end + 1] == ")":
        return True
    return _MARKED.search(text, max(0, start - 13), start) is not None


def _set_of(patterns: Sequence[tuple[str, bool]]) -> Callable[[str], Iterable[int]]:
    """Which of many patterns match somewhere in a text, in one pass over it."""
    if not patterns:
        return lambda text: ()
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _SET_MEMORY
    found = re2.Set.SearchSet(options)
    for pattern, ignore_case in patterns:
        found.Add(f"(?i:{pattern})" if ignore_case else pattern)
    always = found.Add("")
    found.Compile()

    def which(text: str) -> Iterable[int]:
        matching = set(found.Match(text) or ())
        # A set that has no room for its states says that nothing matches, and says so of this one too.
        return sorted(matching - {always}) if always in matching else range(always)

    return which

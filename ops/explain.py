"""Stored decisions -> why: in words, and the texts side by side. `news explain`."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from ops import passages
from ops.database import Connection
from ops.passages import Passage, Stretch
from pipeline.cleaning import Span
from sinks import queries
from sinks.queries import ArticleName, ArticleState, DecisionLine, TextLine

Relation = Literal["of", "contains", "resembles"]

KINDS: Final = {
    "new": "the first delivery of this article, and no article before it has its text",
    "copy": "another article had this text first",
    "revision": "a known article whose text or title is not what it was",
    "unchanged": "a known article that says the same: only typography, boilerplate or metadata differ",
    "redelivery": "this very version of the article was delivered before",
}
METHODS: Final = {
    "url": "the article was recognised by its URL",
    "item": "the article was recognised by the source's own id",
    "text": "the article was recognised by its text: it has neither a URL nor an own id",
    "exact": "title and text are equal but for case, white space, typography and labels of the title",
    "near": "most sequences of three words of the smaller text stand in the larger one",
    "store": "the database knew the article from before the window of the signature log",
}
GUARDS: Final = {
    "template": "a template with other numbers or names",
    "boilerplate": "alike by boilerplate only: what they share is not what they are about, or many texts have it",
}
#: How much of a passage that both texts have is shown, and of one that only one has; in characters.
MAX_SAME: Final = 150
MAX_DIFFERENT: Final = 400
MAX_CUT: Final = 80
MAX_CUTS: Final = 6


class Said(NamedTuple):
    """One line of the explanation: what it is about, and the words."""

    about: str
    words: str


class Shares(NamedTuple):
    """How much of the words of each text stands in passages of the other one, 0 to 1."""

    text: float
    other: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A text beside the one it was held against: what both have, and what only one has."""

    text: TextLine
    other: TextLine
    passages: tuple[Passage, ...]
    added: tuple[Stretch, ...]
    gone: tuple[Stretch, ...]
    shares: Shares


class Against(NamedTuple):
    """Which text a decision was made against."""

    relation: Relation
    article_id: UUID
    delivery_id: UUID | None
    version_id: UUID | None


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision with all that explains it; `text` and `comparison` where they are stored."""

    decision: DecisionLine
    names: dict[UUID, ArticleName]
    against: Against | None
    text: TextLine | None
    comparison: Comparison | None
    state: ArticleState | None = None

    @property
    def is_erased(self) -> bool:
        """Whether the text of its article was forgotten."""
        return self.state is not None and self.state.withdrawn == "erased"


class Cell(NamedTuple):
    """A piece of one text. Signs: `=` both have it, `+` only this text, `-` only the other one."""

    sign: Literal["=", "+", "-"]
    text: str


class Row(NamedTuple):
    """What stands side by side."""

    mine: Cell | None
    theirs: Cell | None


def explain(db: Connection, wanted: UUID, most: int) -> tuple[list[Explained], int]:
    """The newest decisions about an article, a delivery or a version, oldest of them first, and how many there are."""
    decisions, count = queries.decisions_about(db, wanted, most)
    return [_explained(db, decision) for decision in decisions], count


def against(d: DecisionLine) -> Against | None:
    """The text that a decision was made against: of a new one what it contains or resembles."""
    if d.of_article is not None:
        return Against("of", d.of_article, d.of_delivery, d.of_version)
    if d.contains is not None:
        return Against("contains", d.contains, None, None)
    if d.resembles is not None:
        return Against("resembles", d.resembles, None, None)
    return None


def compared(text: TextLine, other: TextLine) -> Comparison:
    """Two texts, passage by passage."""
    found, back = passages.matched(text.text, other.text), passages.matched(other.text, text.text)
    return Comparison(
        text,
        other,
        tuple(found),
        tuple(passages.changed(text.text, found)),
        tuple(passages.changed(other.text, back)),
        Shares(passages.share(text.text, found), passages.share(other.text, back)),
    )


def _explained(db: Connection, decision: DecisionLine) -> Explained:
    held = against(decision)
    named = {decision.article_id, decision.same_text_as, decision.contains, decision.resembles}
    names = {
        article_id: name
        for article_id in named | {held.article_id if held else None}
        if article_id is not None and (name := queries.article_name(db, article_id)) is not None
    }
    # A delivery that came twice has one row, which is that of the first time.
    is_itself = held is not None and held.delivery_id == decision.delivery_id
    text = queries.stored_text(db, decision.article_id, decision.delivery_id, None, decision) if not is_itself else None
    other = queries.stored_text(db, *held[1:], decision) if held is not None and text is not None else None
    comparison = compared(text, other) if text is not None and other is not None else None
    state = queries.article_states(db, [decision.article_id]).get(decision.article_id)
    return Explained(decision, names, held, text, comparison, state)


# In words.


def sentences(e: Explained) -> Iterator[Said]:
    """Why it was decided so, a line each."""
    d = e.decision
    yield Said("article", _named(e, d.article_id))
    yield from _taken_back(e.state)
    yield Said("delivery", f"{d.delivery_id}, version {d.version_id}, from {d.source}, observed {_time(d.observed_at)}")
    if e.is_erased and d.kind == "redelivery" and d.of_version is None:
        yield Said("what", f"{d.kind}: a delivery of an article that was erased, whatever it says")
    else:
        yield Said("what", f"{d.kind}: {KINDS.get(d.kind, 'a kind that this version does not know')}")
    if d.method is not None:
        yield Said("how", f"{d.method}: {METHODS.get(d.method, 'a method that this version does not know')}")
    if d.log_kind is not None:
        yield Said("", f"the log alone said {d.log_kind}")
    is_itself = e.is_erased and d.of_article == d.article_id  # what it said before is not known any more
    if d.of_article is not None and not is_itself:
        version = f", version {d.of_version}" if d.of_version else ""
        own = "its own text before" if d.of_article == d.article_id else _named(e, d.of_article)
        yield Said("against", f"{own}{version}" + (f", delivery {d.of_delivery}" if d.of_delivery else ""))
    if d.same_text_as is not None:
        yield Said("same text", f"as {_named(e, d.same_text_as)}")
    if d.contains is not None:
        yield Said("contains", f"the text of {_named(e, d.contains)}, which is the smaller part of this one")
    if d.resembles is not None:
        guard = GUARDS.get(d.guard or "", d.guard or "kept apart")
        yield Said("resembles", f"scores {_number(d.score)} against {_named(e, d.resembles)}, but is {guard}")
    yield from _score(d)
    yield Said("rules", f"version {d.rules_version}")
    yield Said("place", f"signature log {d.log_id} offset {d.log_offset}, {_time(d.decided_at)}")
    yield Said("", f"articles.raw {d.raw_topic_id} partition {d.raw_partition} offset {d.raw_offset}")
    yield from _texts(e)
    yield from _cut(e.text.removed if e.text else ())


def _taken_back(state: ArticleState | None) -> Iterator[Said]:
    if state is not None and state.withdrawn is not None and state.withdrawn_at is not None:
        what = "its text is stored no more" if state.withdrawn == "erased" else "readers do not see it"
        yield Said(state.withdrawn, f"{_time(state.withdrawn_at)}: {state.withdrawn_reason} ({what})")


def _score(d: DecisionLine) -> Iterator[Said]:
    if d.score is not None and d.resembles is None:
        needed = f"; {_number(d.threshold)} is needed" if d.threshold is not None else ""
        of = " of the smaller text's sequences of three words stand in the larger one" if d.method == "near" else ""
        yield Said("score", f"{_number(d.score)}{of}{needed}")
    elif d.threshold is not None and d.resembles is not None:
        yield Said("score", f"{_number(d.score)}; a copy needs {_number(d.threshold)}")


def _texts(e: Explained) -> Iterator[Said]:
    d, c = e.decision, e.comparison
    if e.text is None and e.is_erased:
        yield Said("text", "the article was erased: nothing of its texts is stored")
    elif e.text is None and d.kind in ("unchanged", "redelivery"):
        same = f"version {d.of_version} (delivery {d.of_delivery})" if d.of_version else "the version before"
        yield Said("text", f"its text was not kept: it says the same as {same}")
    elif e.text is None:
        yield Said("text", f"not stored yet; `news where {d.delivery_id}` says where it is")
    elif c is None and e.against is not None:
        yield Said("text", "the other text is not stored (yet)")
    if c is None:
        return
    mine, theirs = (f"{int(share * 100)}%" for share in c.shares)  # 100% is all of them
    yield Said("shared", f"{mine} of its words stand in the other text, {theirs} of the other's in it")
    if c.text.title != c.other.title:
        yield Said("title", f"“{c.text.title}”; the other's is “{c.other.title}”")
    if not c.added and not c.gone and d.kind == "revision":
        yield Said(
            "", "the words are the same: what differs is punctuation" + (" or the title" if _retitled(c) else "")
        )


def _retitled(c: Comparison) -> bool:
    return c.text.title != c.other.title


def _cut(removed: Sequence[Span]) -> Iterator[Said]:
    cuts = [span for span in removed if span.text.strip()]
    for span in cuts[:MAX_CUTS]:
        yield Said("cleaned", f"{span.rule}: “{shortened(span.text, MAX_CUT)}”")
    if cuts[MAX_CUTS:]:
        yield Said("cleaned", f"and {len(cuts) - MAX_CUTS} more; --json has them all")


def _named(e: Explained, article_id: UUID) -> str:
    name = e.names.get(article_id)
    if name is None:
        return f"{article_id} (not stored)"
    if not (name.source or name.title or name.url):
        return f"{article_id} (erased, or not delivered yet)"
    return f"{article_id}, {name.source}, “{name.title}”" + (f", {name.url}" if name.url else "")


def _number(score: float | None) -> str:
    return "?" if score is None else f"{score:.2f}"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


# Side by side.


def side_by_side(c: Comparison, *, full: bool) -> Iterator[Row]:
    """Both texts in order: what both have once a row, what only one has beside what stands there in the other."""
    mine: list[Passage | Stretch] = sorted([*c.passages, *c.added], key=lambda item: item.start)
    gone = deque(c.gone)
    end = len(c.other.text)
    places = [item.of_start if isinstance(item, Passage) else None for item in mine]
    behind = _next_places(places, end)

    def cell(sign: Literal["=", "+", "-"], text: str, start: int, end: int) -> Cell:
        piece = " ".join(text[start:end].split())
        return Cell(sign, piece if full else shortened(piece, MAX_SAME if sign == "=" else MAX_DIFFERENT))

    def gone_before(place: int) -> Iterator[Cell]:
        while gone and gone[0].end <= place:
            yield cell("-", c.other.text, *gone.popleft())

    for item, place in zip(mine, behind, strict=True):
        left = list(gone_before(place))
        if isinstance(item, Passage):
            yield from (Row(None, theirs) for theirs in left)
            same = cell("=", c.other.text, item.of_start, item.of_end)
            yield Row(cell("=", c.text.text, item.start, item.end), same)
        else:
            yield Row(cell("+", c.text.text, item.start, item.end), left[0] if left else None)
            yield from (Row(None, theirs) for theirs in left[1:])
    yield from (Row(None, theirs) for theirs in gone_before(end))


def _next_places(places: Sequence[int | None], end: int) -> list[int]:
    """Each place, or where there is none the next one behind it."""
    found: list[int] = []
    for place in reversed(places):
        found.append(place if place is not None else found[-1] if found else end)
    return found[::-1]


def shortened(text: str, most: int) -> str:
    """The beginning and the end of a text that is longer than that, in one line."""
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    half = (most - 3) // 2
    first, _, rest = line[:half].rpartition(" ")
    cut, _, last = line[-half:].partition(" ")
    return f"{first or rest} … {last or cut}"


# For programs.


def as_json(e: Explained) -> dict[str, Any]:
    """All of it; offsets are code points into the two published texts."""
    c = e.comparison
    other: dict[str, Any] | None = None
    if e.against is not None:
        name = e.names.get(e.against.article_id)
        other = {"relation": e.against.relation, "article_id": e.against.article_id}
        other |= {"source": name.source, "title": name.title, "url": name.url} if name else {}
    if other is not None and c is not None:
        o = c.other
        other |= {"delivery_id": o.delivery_id, "version_id": o.version_id}
        other |= {"source": o.source, "title": o.title, "url": o.url}
    return {
        **asdict(e.decision),
        "title": e.text.title if e.text else None,
        "url": e.text.url if e.text else None,
        "said": [f"{said.about}: {said.words}" if said.about else said.words for said in sentences(e)],
        "other": other,
        "removed": [span.model_dump() for span in e.text.removed] if e.text else [],
        "passages": [_passage(c.text.text, p) for p in c.passages] if c else [],
        "added": [_stretch(c.text.text, s) for s in c.added] if c else [],
        "gone": [_stretch(c.other.text, s) for s in c.gone] if c else [],
        "shares": c.shares._asdict() if c else None,
    }


def _passage(text: str, p: Passage) -> dict[str, Any]:
    places = {"start": p.start, "end": p.end, "of_start": p.of_start, "of_end": p.of_end}
    return {**places, "text": text[p.start : p.end]}


def _stretch(text: str, s: Stretch) -> dict[str, Any]:
    return {"start": s.start, "end": s.end, "text": text[s.start : s.end]}

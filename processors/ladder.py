"""Spans of the model and of the watch list -> the names of an article, each once with all its mentions; pure.

The steps stand here in their order. Each can be left out, so that bench/quality/entities.py shows what it is worth.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, Literal, NamedTuple

from processors import acronyms, aliases, edges, salience, spread, votes
from processors.names import LABELS, Found, Watched, name_of, trimmed

Step = Literal["trim", "titles", "drop", "first-names", "acronyms", "vote", "propagate", "aliases"]
ORDER: Final[tuple[Step, ...]] = (
    "trim", "titles", "drop", "first-names", "acronyms", "vote", "propagate", "aliases",
)  # fmt: skip
ALL_STEPS: Final[frozenset[Step]] = frozenset(ORDER)

#: So many names of an article are kept, the most mentioned ones, and all of the watch list: each is a row, and the rows
#: of a batch one transaction.
MAX_NAMES: Final = 2000


class Name(NamedTuple):
    """A name of an article: the full form, its mentions in order, and the other forms by which the text calls it."""

    name: str
    label: str
    spans: tuple[Found, ...]
    aliases: tuple[str, ...]
    id: str | None
    salience: float


def names(
    text: str,
    title: str,
    found: Sequence[Found],
    watched: Sequence[Watched] = (),
    steps: Collection[Step] = ALL_STEPS,
) -> list[Name]:
    """The names of an article, the most mentioned first, at most MAX_NAMES; their spans are disjoint.

    `found` are the model's spans of the text, `watched` those of the watch list, disjoint. These stay as they are: what
    the model found across them gives way, and what it found under the same name or surname joins them.
    """
    watched = sorted(watched)
    spans = sorted(span for span in found if span.label in LABELS and name_of(text, span))
    is_wrapped = edges.is_wrapped(text)
    if "trim" in steps:
        spans = [kept for span in spans if (kept := trimmed(text, span, is_wrapped)) is not None]
    if "titles" in steps:
        spans = [kept for span in spans if (kept := edges.without_titles(text, span, is_wrapped)) is not None]
    if "drop" in steps:
        spans = [span for span in spans if edges.is_name(text, span)]
        spans = edges.without_compounds(text, edges.without_shouting(text, spans))
    if "first-names" in steps:
        spans = edges.with_first_names(text, spans)
    spans = _apart(spans, watched)
    pairs: Sequence[acronyms.Introduced] = ()
    if "acronyms" in steps:
        spans, pairs = acronyms.spans_with(spans, list(acronyms.introduced(text, spans)))
        spans = _apart(spans, watched)
    introduced = [(_words(text, pair.long), _words(text, pair.short)) for pair in pairs]
    if "vote" in steps:
        spans = _voted(text, spans, watched, introduced, propagate="propagate" in steps)
    return _grouped(text, title, spans, watched, introduced, merge="aliases" in steps)


def _words(text: str, place: acronyms.Place) -> str:
    return name_of(text, Found(*place, ""))


def _apart(spans: Iterable[Found], watched: Sequence[Watched]) -> list[Found]:
    """The spans (in order) that overlap neither the watched ones nor each other."""
    kept: list[Found] = []
    at = end = 0
    for span in spans:
        while at < len(watched) and watched[at].end <= span.start:
            at += 1
        if span.start >= end and span.start < span.end and (at == len(watched) or span.end <= watched[at].start):
            kept.append(span)
            end = span.end
    return kept


def _voted(
    text: str,
    spans: Sequence[Found],
    watched: Sequence[Watched],
    introduced: Iterable[tuple[str, str]],
    propagate: bool,
) -> list[Found]:
    """The spans with one label for each name and, to propagate, those that the model missed."""
    labels = votes.labels(text, sorted([*spans, *(Found(*span[:3]) for span in watched)]))
    for long, short in introduced:
        if long in labels and short in labels:
            labels[short] = labels[long]
    spans = [span._replace(label=labels[name_of(text, span)]) for span in spans]
    if not propagate:
        return spans
    for name, label in list(labels.items()):
        if label == "PERSON" and " " in name and len(surname := votes.surname(name)) > 2:
            labels.setdefault(surname, label)
    for span in watched:  # the watch list has found them all
        labels.pop(name_of(text, Found(*span[:3])), None)
    return _apart(spread.over(text, spans, labels), watched)


class _Group:
    """What becomes one name."""

    def __init__(self, name: str, label: str, id_: str | None) -> None:
        self.name, self.label, self.id = name, label, id_
        self.spans: list[Found] = []
        self.forms: list[str] = []

    def add(self, span: Found, form: str) -> None:
        self.spans.append(span._replace(label=self.label))
        self.forms.append(form)

    @property
    def mentions(self) -> list[tuple[Found, str]]:
        """Each span with its words."""
        return list(zip(self.spans, self.forms, strict=True))


def _grouped(
    text: str,
    title: str,
    spans: Sequence[Found],
    watched: Sequence[Watched],
    introduced: Iterable[tuple[str, str]],
    merge: bool,
) -> list[Name]:
    groups: dict[tuple[str, str], _Group] = {}
    of_watched: dict[str, _Group] = {}
    for entry in watched:
        span = Found(*entry[:3])
        form = name_of(text, span)
        group = groups.setdefault(("", entry.id), _Group(entry.name, entry.label, entry.id))
        group.add(span, form)
        of_watched.setdefault(form, group)
    forms = [name_of(text, span) for span in spans]
    if not merge:
        for span, form in zip(spans, forms, strict=True):
            groups.setdefault((form, span.label), _Group(form, span.label, None)).add(span, form)
    else:
        labels, known = _aliases(title, spans, forms, list(groups.values()), introduced)
        of_full = {known.full(form, span.start): group for group in groups.values() for span, form in group.mentions}
        for span, form in zip(spans, forms, strict=True):
            full = known.full(form, span.start)
            joined = of_watched.get(form) or of_full.get(full)
            if joined is None:
                joined = groups.setdefault((full, ""), _Group(full, labels.get(full, span.label), None))
            joined.add(span, form)
    most = max((len(group.spans) for group in groups.values()), default=0)
    result = [_name(group, title[: salience.TITLE_CHARACTERS], most) for group in groups.values()]
    ordered = sorted(result, key=lambda name: (-len(name.spans), name.spans[0].start))
    return [name for number, name in enumerate(ordered) if number < MAX_NAMES or name.id is not None]


def _aliases(
    title: str,
    spans: Sequence[Found],
    forms: Sequence[str],
    watched: Sequence[_Group],
    introduced: Iterable[tuple[str, str]],
) -> tuple[dict[str, str], aliases.Aliases]:
    """The label of each form, and who is who among them; the watch list goes by the forms that stand there."""
    labels: dict[str, str] = {}
    starts: dict[str, list[int]] = {}
    mentions = [(span.start, form, span.label) for span, form in zip(spans, forms, strict=True)]
    mentions += [(span.start, form, span.label) for group in watched for span, form in group.mentions]
    for start, form, label in sorted(mentions):
        labels.setdefault(form, label)
        starts.setdefault(form, []).append(start)
    return labels, aliases.of(labels, starts, introduced, title)


def _name(group: _Group, title: str, most: int) -> Name:
    spans = sorted(group.spans)
    others = aliases.forms(group.forms, group.name)
    in_title = any(salience.stands_in(form, title) for form in (group.name, *others))
    weight = salience.of(len(spans), most, spans[0].start, in_title)
    return Name(group.name, group.label, tuple(spans), others, group.id, weight)

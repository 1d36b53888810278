"""Names found once -> their mentions that the model missed or cut short; pure, one pass over the words of the text."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from processors import edges, wordlists
from processors.names import Found, name_of

_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
#: Names of more words and marks are not looked for: what the pass costs stays in proportion to the text.
MAX_TOKENS: Final = 12


class _Node:
    """The names that go on from here, by their next word."""

    __slots__ = ("below", "name")

    def __init__(self) -> None:
        self.below: dict[str, _Node] = {}
        self.name: str | None = None  # that ends here


def over(text: str, spans: Sequence[Found], labels: Mapping[str, str]) -> list[Found]:
    """The spans (in order, disjoint) with all mentions of the names in `labels`: whole words, as they are written.

    A longer name takes the place of the spans inside it; no other span changes.
    """
    tree = _tree(labels)
    article = _Article(text)
    words, starts = article.words, article.starts
    result: list[Found] = []
    at = next_span = 0
    while at < len(words):
        if words[at] not in tree.below:
            at += 1
            continue
        while next_span < len(spans) and spans[next_span].end <= starts[at]:
            result.append(spans[next_span])
            next_span += 1
        after = at + 1
        for end, name in _ends(tree, words, at):
            found = Found(starts[at], starts[end - 1] + len(words[end - 1]), labels[name])
            behind = _behind(spans, next_span, found)
            if behind is not None and article.has(name, found, at, end):
                result.append(found)
                next_span, after = behind, end
                break
        at = after
    return [*result, *spans[next_span:]]


def _tree(labels: Mapping[str, str]) -> _Node:
    tree = _Node()
    for name in labels:
        words = _TOKEN.findall(name)
        if not 0 < len(words) <= MAX_TOKENS:
            continue
        node = tree
        for word in words:
            node = node.below.setdefault(word, _Node())
        node.name = name
    return tree


def _ends(tree: _Node, words: Sequence[str], at: int) -> list[tuple[int, str]]:
    """Where names end that begin here, the longest first."""
    ends: list[tuple[int, str]] = []
    node = tree
    while at < len(words) and words[at] in node.below:
        node = node.below[words[at]]
        at += 1
        if node.name is not None:
            ends.append((at, node.name))
    return ends[::-1]


def _behind(spans: Sequence[Found], at: int, found: Found) -> int | None:
    """The first span behind `found`; None where one of those before it is not shorter and inside."""
    while at < len(spans) and spans[at].start < found.end:
        span = spans[at]
        if span.start < found.start or span.end > found.end or span[:2] == found[:2]:
            return None
        at += 1
    return at


class _Article:
    """The words of a text, and what stands round them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.words: list[str] = _TOKEN.findall(text)
        self.starts = [match.start() for match in _TOKEN.finditer(text)]
        # A word that stands there in lower case too is no name for sure: "Target", "Power".
        self._common = set(filter(str.islower, self.words))
        self._is_headline = edges.lines(text, edges.is_headline)
        self._is_wrapped = edges.is_wrapped(text)

    def has(self, name: str, found: Found, at: int, end: int) -> bool:
        """Whether words `at` to `end` are the name, and no part of a compound, of a longer name or of an address."""
        text = self._text
        if name_of(text, found) != name or ("\n" in text[found.start : found.end] and not self._is_wrapped):
            return False
        before, behind = text[found.start - 1 : found.start] if found.start else "", text[found.end : found.end + 1]
        if before and before in "@#":
            return False
        if before and before in "-/._" and text[max(0, found.start - 2) : found.start - 1].strip():
            return False
        if behind and behind in "-/@" and text[found.end + 1 : found.end + 2].isalnum():
            return False
        if end - at == 1 and self.words[at].lower() in self._common:
            return False
        return not (self._goes_on(end) or self._began(at)) or self._is_headline(found.start)

    def _goes_on(self, end: int) -> bool:
        """A capital one space behind: "Montreal" is no place in "the Montreal Victorias"."""
        return end < len(self.words) and self._is_capital_beside(end, end - 1)

    def _began(self, at: int) -> bool:
        """A capital one space before that is no title, no adjective and no common word that begins a sentence."""
        if at == 0 or not self._is_capital_beside(at - 1, at - 1):
            return False
        known = wordlists.load()
        word = self.words[at - 1].lower()
        return not (
            word in self._common
            or word in known.no_names
            or word in known.never_in_people
            or (word,) in known.titles
            or self.words[at - 1] in known.adjectives
        )

    def _is_capital_beside(self, at: int, left: int) -> bool:
        """Whether word `at` has a capital, and nothing but a space stands behind word `left`."""
        word = self.words[at]
        if len(word) < 2 or not word[0].isupper():
            return False
        return self._text[self.starts[left] + len(self.words[left]) : self.starts[left + 1]] == " "

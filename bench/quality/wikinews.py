"""The Wikinews texts of the data folder -> base articles: detokenised, in sentences, none with much of another."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from pipeline import identity

#: Beside the checkout; the texts are Wikinews (CC BY 2.5) and not part of the repository.
DEFAULT: Final = Path(__file__).parents[3] / "shared" / "data" / "articles" / "wikinews_meantime120.json"
#: Base texts that share more of their 3-shingles than this are not called distinct: the later one is left out.
MAX_OVERLAP: Final = 0.25

_MONTHS: Final = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE_LINE = re.compile(rf"^(.{{10,160}}?) (?:{_MONTHS}) \d\d? , \d{{4}} ")
_SENTENCE = re.compile(r".+?(?:^|\s)[.?!](?:\s(?:''|\"|'|\)))*(?=\s|$)", re.DOTALL)
_WORD = re.compile(r"\w+")


class Base(NamedTuple):
    """One text as its paper printed it."""

    name: str
    topic: str
    title: str
    sentences: tuple[str, ...]

    @property
    def words(self) -> int:
        return sum(map(count_words, self.sentences))


class NoTexts(Exception):
    """The data folder is not there."""


def load(path: Path = DEFAULT) -> tuple[Base, ...]:
    """The base articles, always the same ones. Raises NoTexts where there is no such file."""
    if not path.is_file():
        raise NoTexts(f"There is no {path.name} at {path.parent}; name the file with --texts.")
    articles = json.loads(path.read_text(encoding="utf-8"))
    return _distinct([_base(article["id"], article["topic"], article["text"]) for article in articles])


def count_words(text: str) -> int:
    return len(text.split())


def containment(one: set[str], two: set[str]) -> float:
    """Share of the smaller set that the larger one has."""
    return len(one & two) / max(1, min(len(one), len(two)))


def shingles(text: str) -> set[str]:
    """The distinct word 3-shingles, in plain Python."""
    words = _WORD.findall(identity.normalised(text))
    return {" ".join(words[i : i + 3]) for i in range(len(words) - 2)}


def detokenise(text: str) -> str:
    """Undo the token spacing: `N.V. ( EADS ) , the plane 's` -> `N.V. (EADS), the plane's`."""
    text = text.replace("I' m", "I'm").replace("I' ll", "I'll")
    text = re.sub(r"(?:``|(?:^|(?<=\s))''(?=\w)) ?", '"', text)
    text = re.sub(r" ?''", '"', text)
    text = re.sub(r" (n't|'s|'re|'ve|'ll|'d|'m|')(?=\W|$)", r"\1", text)
    text = re.sub(r" ([,.;:?!%)\]])", r"\1", text)
    text = re.sub(r"([(\[$£€]|US\$) ", r"\1", text)
    text = re.sub(r"# (?=\d)", "£", text)
    text = re.sub(r"(\w) - (?=\w+-)", r"\1- ", text)
    return " ".join(text.split())


def paragraphs(sentences: Sequence[str], rng: Random) -> tuple[str, ...]:
    """Two to four sentences each; one that would be left alone joins the last."""
    found, i = [], 0
    while i < len(sentences):
        step = rng.randint(2, 4)
        if len(sentences) - i - step == 1:
            step += 1
        found.append(" ".join(sentences[i : i + step]))
        i += step
    return tuple(found)


def _base(name: str, topic: str, text: str) -> Base:
    dated = _DATE_LINE.match(text)
    title = detokenise(dated[1]) if dated else name.split("_", 1)[1].replace("_", " ")
    body = text[dated.end() :] if dated else text
    return Base(name, topic, title, tuple(detokenise(match.group().strip()) for match in _SENTENCE.finditer(body)))


def _distinct(found: list[Base]) -> tuple[Base, ...]:
    kept: list[tuple[Base, set[str]]] = []
    for base in found:
        own = shingles("\n".join(base.sentences))
        if all(containment(own, other) < MAX_OVERLAP for _, other in kept):
            kept.append((base, own))
    return tuple(base for base, _ in kept)

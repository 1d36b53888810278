import json
from pathlib import Path

import pytest

from bench.quality import entities
from bench.quality.entities import Article, Document
from processors import ladder
from processors.names import Found

CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP I-ORG
rejects VBZ B-VP O
German JJ B-NP I-MISC
call NN I-NP O

Peter NNP B-NP I-PER
Blackburn NNP I-NP I-PER
" " O O
of IN O O
Oslo NNP B-NP I-LOC
" " O O
's POS O O
team NN O O
. . O O

-DOCSTART- -X- O O

BRUSSELS NNP B-NP I-LOC
Bonn NNP B-NP B-LOC
"""

UNER = """# newdoc id = n01
# sent_id = n01-1
# text = “The U.S.,” he said.
1\t“\tO\t-\t-
2\tThe\tO\t-\t-
3\tU.S.\tB-LOC\t-\t-
4\t,\tO\t-\t-
5\t”\tO\t-\t-
6\the\tO\t-\t-
7\tsaid\tO\t-\t-
8\t.\tO\t-\t-

# sent_id = n01-2
# text = # of Bo Ek
1\t#\tO\t-\t-
2\tof\tO\t-\t-
3\tBo\tB-PER\t-\t-
4\tEk\tI-PER\t-\t-

# newdoc id = n02
# sent_id = n02-1
1\tBank\tB-ORG\t-\t-
2\tOslo\tB-LOC\t-\t-
"""


def marked(document: Document) -> list[tuple[str, str]]:
    return [(document.text[start:end], type_) for start, end, type_ in sorted(document.marks)]


def read(folder: Path, content: str, name: str = "file.conll") -> list[Document]:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return entities.read(path)


def test_a_conll_file_is_read_in_documents_as_a_paper_prints_them(tmp_path: Path) -> None:
    first, second = read(tmp_path, CONLL)

    assert first.text == 'EU rejects German call\nPeter Blackburn "of Oslo"\'s team.'
    assert marked(first) == [("EU", "ORG"), ("Peter Blackburn", "PER"), ("Oslo", "LOC")]
    assert marked(second) == [("BRUSSELS", "LOC"), ("Bonn", "LOC")]


def test_a_uner_file_keeps_the_text_of_its_sentences(tmp_path: Path) -> None:
    first, second = read(tmp_path, UNER, "file.iob2")

    assert first.text == "“The U.S.,” he said. # of Bo Ek"
    assert marked(first) == [("U.S.", "LOC"), ("Bo Ek", "PER")]
    assert (second.text, marked(second)) == ("Bank Oslo", [("Bank", "ORG"), ("Oslo", "LOC")])


def test_a_file_without_documents_is_cut_into_blocks(tmp_path: Path) -> None:
    sentence = "Oslo B-LOC\nsang O\n. O\n\n"

    documents = read(tmp_path, sentence * (entities.BLOCK + 1) + "\n" + sentence)

    assert [len(document.marks) for document in documents] == [entities.BLOCK, 1, 1]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("I-PER I-PER O", [(0, 1, "PER")]),
        ("I-PER B-PER", [(0, 0, "PER"), (1, 1, "PER")]),
        ("B-PER I-PER I-LOC", [(0, 1, "PER"), (2, 2, "LOC")]),
        ("B-PER E-PER S-PER", [(0, 1, "PER"), (2, 2, "PER")]),
        ("O", []),
    ],
)
def test_the_ways_to_mark_names_are_known(tags: str, expected: list[tuple[int, int, str]]) -> None:
    assert list(entities._entities(tags.split())) == expected


def test_names_count_where_both_ends_and_the_type_are_right() -> None:
    document = Document("Anna Lind of Oslo", frozenset({(0, 9, "PER"), (13, 17, "LOC")}))
    found = [Found(0, 9, "PERSON"), Found(13, 17, "FAC"), Found(5, 9, "PERSON"), Found(10, 12, "DATE")]

    scored = entities.score([found], [document])

    precision, recall, f1 = scored.f1("PER", "LOC")
    assert (round(precision), round(recall), round(f1)) == (67, 100, 80)
    assert scored.f1("LOC") == pytest.approx((100, 100, 100))
    assert scored.f1("ORG") == (0, 0, 0)


def test_the_ladder_is_shown_a_step_longer_each_time() -> None:
    assert [name for name, _ in entities.steps()] == [f"+ {step}" for step in ladder.ORDER]
    assert [len(steps) for _, steps in entities.steps()] == list(range(1, len(ladder.ORDER) + 1))


TEXT = "Lind left. Anna Lind said that Lind and Bo had met."
FOUND = [Found(0, 4, "PERSON"), Found(11, 20, "PERSON"), Found(31, 35, "PERSON"), Found(40, 42, "PERSON")]


def test_the_main_person_is_the_most_mentioned_one_or_the_one_that_is_given() -> None:
    assert entities.main_person(Article("", TEXT, ()), FOUND) == {"Anna Lind"}
    assert entities.main_person(Article("", TEXT, ("Anna Lind", "Bo Ek")), FOUND) == {"Anna Lind"}
    assert entities.main_person(Article("", "Lind left.", ()), FOUND[:1]) == frozenset()


def test_a_main_person_is_known_by_full_name_after_the_last_step() -> None:
    said = entities.aliases([Article("", TEXT, ())], [FOUND], [{"Anna Lind"}])

    assert said == (
        "main person by full name, 1 articles: raw 0.0%, before aliases 0.0%, ladder 100.0%   goal >= 60%   met"
    )
    assert entities.aliases([], [], []) == "no article gives the full name of a main person"


def test_articles_are_read_from_an_array_or_from_lines(tmp_path: Path) -> None:
    line = {"title": "T", "body": ["One.", "Two."], "main": "Anna Lind"}
    array, lines = tmp_path / "a.json", tmp_path / "b.jsonl"
    array.write_text(json.dumps([line, {"text": "Three."}]))
    lines.write_text(f"{json.dumps(line)}\n\n" + json.dumps({"text": "Three."}))

    expected = [Article("T", "One.\n\nTwo.", ("Anna Lind",)), Article("", "Three.", ())]
    assert entities.read_articles(array) == expected
    assert entities.read_articles(lines) == expected

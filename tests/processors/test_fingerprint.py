from uuid import UUID

import pytest

from pipeline import cleaning
from pipeline.errors import InvalidRecord, Reason
from processors import fingerprint
from processors.fingerprint import Prepared
from tests.pipeline.samples import HERE, NOON, raw_article

RULES = cleaning.load_rules()
TEXT = "The ferry sank near Bergen at 12.30.\nThe ferry was built in 1987."


def prepared(**fields: object) -> Prepared:
    return fingerprint.prepare(raw_article(**{"body": TEXT, **fields}), HERE, RULES)


def test_the_golden_signature_of_a_small_text_holds() -> None:
    s = prepared(title="Ferry sinks", url="https://news.example/ferry", source_item_id="7").signature

    assert s.shingles.tolist() == [
        299415448,
        649579502,
        751065246,
        1260367774,
        1272463995,
        1581798443,
        1740592335,
        2042577413,
        3057930483,
        3329481935,
        3581744597,
        4040864128,
    ]
    assert s.lines.tolist() == [1454579891, 2160619106]
    assert s.numbers.tolist() == [1832715006, 3471935038]
    assert s.names.tolist() == [1411995263]
    assert (s.words, s.shingle_count, s.wall) == (14, 12, False)
    assert s.content_hash == "e52dd07ba4f959cbc2305d7ee60ef9b216eee049b5e65c78619334481b5e0275"
    assert s.article_id == UUID("fb6682e6-3d13-50f5-b74f-f6ed3f953604")
    assert s.item_key == UUID("b5be18e7-c5f4-5bea-8695-9e73cae24287")


def test_a_delivery_is_fingerprinted_the_same_every_time() -> None:
    assert prepared().signature.to_bytes() == prepared().signature.to_bytes()


IDENTIFIED = [
    ({"url": "https://news.example/a", "source_item_id": "7"}, "url"),
    ({"url": "not an address", "source_item_id": "7"}, "item"),
    ({"source_item_id": "7"}, "item"),
    ({"url": "not an address"}, "text"),
    ({}, "text"),
]


@pytest.mark.parametrize(("fields", "by"), IDENTIFIED)
def test_a_delivery_says_how_its_article_was_identified(fields: dict[str, str], by: str) -> None:
    assert prepared(**fields).signature.identified_by == by


def test_boilerplate_counts_neither_as_content_nor_as_shingles() -> None:
    bare, dressed = prepared().signature, prepared(body=f"{TEXT}\n\nLeave a Reply\n").signature

    assert dressed.content_hash == bare.content_hash
    assert dressed.shingles.tolist() == bare.shingles.tolist()
    assert dressed.text_digest != bare.text_digest, "as delivered it is another text"


def test_the_outlet_behind_a_title_is_no_content_and_stays_in_what_is_stored() -> None:
    bare, named = prepared(title="Ferry sinks"), prepared(title="Ferry sinks - The New York Times")

    assert named.signature.content_hash == bare.signature.content_hash
    assert named.metadata.title == "Ferry sinks - The New York Times"
    assert named.signature.text_digest != bare.signature.text_digest, "as delivered it is another text"


@pytest.mark.parametrize(
    "changed", [{"byline": "A. Author"}, {"published_at": NOON}, {"language": "en"}, {"url": "http://a.example"}]
)
def test_the_metadata_digest_changes_with_what_a_delivery_says_besides_the_text(changed: dict[str, object]) -> None:
    assert prepared(**changed).signature.metadata_digest != prepared().signature.metadata_digest


def test_the_metadata_digest_does_not_change_with_the_notes_of_a_producer() -> None:
    assert prepared(notes=("a note",)).signature.metadata_digest == prepared().signature.metadata_digest


NOTHING = {
    "": "The body holds not a single word.",
    " \n\u2028\u200b\ufeff": "The body holds not a single word.",
    "!!! …": "The body holds not a single word.",
    "Leave a Reply\n": "The body holds nothing but boilerplate.",
    "\x07\x07": "The body holds not a single word.",
}


@pytest.mark.parametrize(("body", "why"), NOTHING.items())
def test_a_delivery_without_text_is_invalid(body: str, why: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        prepared(body=body)

    assert (caught.value.reason, caught.value.detail) == (Reason.NO_TEXT, why)


def test_a_wall_is_flagged_and_stays_as_it_is() -> None:
    wall = prepared(body="Subscribe to continue reading this article.")

    assert wall.signature.wall
    assert wall.body.text == "Subscribe to continue reading this article."


def test_the_sets_of_a_long_text_are_capped_and_its_count_is_true() -> None:
    words = "\n".join(f"said Word{i} {i}" for i in range(6000))

    s = prepared(body=words).signature

    assert s.words == 18_000
    assert s.shingle_count == 17_998
    assert (len(s.shingles), len(s.lines), len(s.numbers), len(s.names)) == (4096, 1024, 1024, 1024)


def test_of_too_many_shingles_the_smallest_hashes_stay() -> None:
    words = [f"word{i}" for i in range(6000)]
    everything = fingerprint._shingles(words)

    s = prepared(body=" ".join(words)).signature

    assert s.shingles.tolist() == sorted(everything.tolist())[:4096]


@pytest.mark.parametrize(("body", "shingles"), [("One", 1), ("One two", 1), ("One two three", 1), ("a b c d", 2)])
def test_a_text_shorter_than_a_shingle_has_one(body: str, shingles: int) -> None:
    assert prepared(body=body).signature.shingle_count == shingles


def test_the_order_of_words_counts_in_a_shingle() -> None:
    one, other = prepared(body="dog bites man").signature, prepared(body="man bites dog").signature

    assert one.shingles.tolist() != other.shingles.tolist()


NAMES = {
    "Ferries sank. Some say ferries sink. Bergen mourns.": set(),
    "In Bergen some mourn; others, Anna Lind among them, do not.": {"bergen", "anna", "lind"},
    "The agency (Reuters) and the BBC said so.": {"reuters", "bbc"},
    '"We mourn," said Ödön von Horváth. "Nobody" else did.': {"ödön", "horváth"},
    "Паром у Бергена, сказал Олаф.": {"бергена", "олаф"},
    "Ferry\nBergen\nOslo": set(),
}


@pytest.mark.parametrize(("body", "names"), NAMES.items())
def test_names_are_words_that_are_capitalised_within_a_sentence(body: str, names: set[str]) -> None:
    assert prepared(body=body).signature.names.tolist() == fingerprint._hashes(names).tolist()


@pytest.mark.parametrize(
    "body", ["The café\x1csank at 7_000 feet, twice.", "one\u2028two\tthree\x0bfour", "a_b c-d e'f 1,000.50"]
)
def test_words_are_the_same_whether_a_text_is_plain_or_not(body: str) -> None:
    plain = body.replace("é", "e").replace("\u2028", " ")

    assert fingerprint._words(plain) == fingerprint._words(f"{plain} é")[:-1]


def test_a_text_of_which_too_many_pieces_are_cut_is_refused_before_it_outgrows_a_record() -> None:
    article = raw_article(body="First word\n" + "Share this\nx\n" * 10_001)

    with pytest.raises(InvalidRecord, match="Cleaning cut 10,002 pieces") as refused:
        fingerprint.prepare(article, HERE, RULES)

    assert refused.value.reason == Reason.TOO_LARGE

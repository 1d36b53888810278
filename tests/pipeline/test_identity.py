import hashlib
import re
import sys
import time
import unicodedata
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import identity

# The golden tables: these ids stand in every database out there. A failure here is a breaking change of identity, not a
# wrong test: raise IDENTITY_VERSION, write a decision record and a migration, and only then the table anew.
CANONICAL = {
    "https://news.example/politics/vote": "news.example/politics/vote",
    "http://news.example": "news.example",
    "HTTPS://WWW.News.Example:8443/Politics/Vote/?utm_source=x&b=2&a=1#top": "news.example/Politics/Vote?a=1&b=2",
    "http://reader:secret@news.example/a": "news.example/a",
    "http://news.example./a": "news.example/a",
    "http://www.www.news.example/a": "news.example/a",
    "http://news.example//a//": "news.example//a",
    "http://news.example/a/../b/./c": "news.example/b/c",
    "http://news.example/a%2Fb/%7euser": "news.example/a%2Fb/~user",
    "http://news.example/caf\u00e9": "news.example/caf%C3%A9",
    "http://news.example/caf%c3%a9": "news.example/caf%C3%A9",
    "http://news.example/a?": "news.example/a",
    "http://news.example/a?q=two+words": "news.example/a?q=two+words",
    "http://news.example/a?q=two%20words": "news.example/a?q=two+words",
    "http://news.example/a?q=caf%C3%A9": "news.example/a?q=caf%C3%A9",
    "http://news.example/a?q=caf\u00e9": "news.example/a?q=caf%C3%A9",
    "http://news.example/a?q=caf%e9": "news.example/a?q=caf%E9",
    "http://news.example/a?q=%ed%a0%80\u00e9%80": "news.example/a?q=%ED%A0%80%C3%A9%80",
    "http://news.example/a?q=%ef%bf%bd": "news.example/a?q=%EF%BF%BD",
    "http://news.example/caf%e9": "news.example/caf%E9",
    "http://news.example/a?id=7&id=3": "news.example/a?id=3&id=7",
    "http://news.example/a?print": "news.example/a?print=",
    "  http://news.example/a\n": "news.example/a",
    "http://m\u00fcnchen.example/": "xn--mnchen-3ya.example",
    "http://xn--mnchen-3ya.example/": "xn--mnchen-3ya.example",
    "http://news\u3002example\u3002/a": "news.example/a",
}

NOT_A_PAGE = [
    "",
    "a",
    "news.example/a",
    "mailto:desk@news.example",
    "ftp://news.example/a",
    "javascript:alert(1)",
    "http://",
    "http:///a",
    "http://two words.example/a",
    "http://[::1]/a",
    "http://[/a",
    "http://ex%41mple.example/a",
    "http://\u00a8/a",
    "http://" + "\u00fc" * 80 + ".example/a",
]


@pytest.mark.parametrize(("url", "canonical"), CANONICAL.items())
def test_the_golden_table_of_canonical_urls_holds(url: str, canonical: str) -> None:
    assert identity.canonical_url(url) == canonical


@given(
    st.from_regex(r"https?://(www\.){0,3}[a-z0-9_.-]{0,12}(:80)?(/?[A-Za-z0-9_.~/-]{0,4}){0,5}[?#]?", fullmatch=True)
)
def test_a_plain_address_is_what_the_parser_makes_of_it(url: str) -> None:
    assert identity.canonical_url(url) == identity._canonical_url(url)


@pytest.mark.parametrize("url", NOT_A_PAGE)
def test_what_is_no_address_of_a_page_has_no_canonical_url(url: str) -> None:
    assert identity.canonical_url(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://news.example/vote",
        "https://www.news.example/vote",
        "https://news.example:443/vote",
        "https://news.example/vote#comments",
        "https://news.example/vote/",
        "https://NEWS.example/vote",
        "https://news.example/vote?fbclid=abc",
        "https://news.example/vote?utm_campaign=spring&UTM_SOURCE=mail",
    ],
)
def test_one_page_has_one_article_id_however_its_address_is_written(url: str) -> None:
    assert identity.article_id(url, "any source", "any id", "any title", "any text") == UUID(
        "6ab965d8-fc2c-576d-add6-c70d0fb40e01"
    )


@pytest.mark.parametrize(
    "parameter", ["utm_source", "gclid", "mc_cid", "ref", "at_medium", "xtor", "__twitter_impression"]
)
def test_a_tracking_parameter_is_no_part_of_a_page(parameter: str) -> None:
    assert identity.canonical_url(f"http://news.example/a?{parameter}=1&id=7") == "news.example/a?id=7"


@pytest.mark.parametrize("parameter", ["id", "p", "page", "q", "story", "reference", "utm", "v"])
def test_any_other_parameter_may_name_a_page(parameter: str) -> None:
    assert identity.canonical_url(f"http://news.example/a?{parameter}=1") == f"news.example/a?{parameter}=1"


@pytest.mark.parametrize(
    "place", ["http://news.example/{}", "http://news.example/a?q={}", "http://news.example/a?{}=1"]
)
def test_bytes_that_are_no_utf_8_tell_pages_apart(place: str) -> None:
    escapes = ["caf%E9", "caf%E8", "caf%C3", "caf%C3%A9", "caf%EF%BF%BD", "%E9caf", "caf%ED%A0%80"]

    assert len({identity.canonical_url(place.format(escaped)) for escaped in escapes}) == len(escapes)


def test_the_case_of_a_path_tells_pages_apart() -> None:
    assert identity.canonical_url("http://news.example/A") != identity.canonical_url("http://news.example/a")


HOSTS = st.text("aB.0-:[]@%\u3002\u00df\u00c9\u0130", min_size=1, max_size=12).map(lambda host: f"www.{host}")
PATHS = st.text("aB%0F;:/.~\u00e9 ?&=+#", max_size=16) | st.lists(
    st.sampled_from("?&=a") | st.binary(min_size=1, max_size=2).map(lambda b: "".join(f"%{n:02x}" for n in b)),
    max_size=6,
).map("".join)


@given(st.one_of(st.text(), st.builds("http://{}/{}".format, HOSTS | st.text(), PATHS | st.text())))
def test_a_canonical_url_never_raises_and_is_its_own_canonical_url(text: str) -> None:
    canonical = identity.canonical_url(text)

    if canonical is not None:
        assert identity.canonical_url("http://" + canonical) == canonical


ARTICLES = [
    (("https://news.example/vote", "wire", "7", "Title", "Text."), "6ab965d8-fc2c-576d-add6-c70d0fb40e01"),
    ((None, "wire", "7", "Title", "Text."), "b5be18e7-c5f4-5bea-8695-9e73cae24287"),
    (("not an address", "wire", "7", "Title", "Text."), "b5be18e7-c5f4-5bea-8695-9e73cae24287"),
    ((None, "wire", None, "Title", "Text."), "f27a6626-3bfc-5ae9-bb77-2093b6067439"),
    ((None, "wire", "", "Title", "Text."), "f27a6626-3bfc-5ae9-bb77-2093b6067439"),
    ((None, "another source", None, "Title", "Text."), "f27a6626-3bfc-5ae9-bb77-2093b6067439"),
    ((None, "wire", None, "", "\ud800 and \x00"), "17ee53c5-ee86-5f35-ab71-5ad4023496b3"),
    ((None, "wire", None, "", "\ufffd and \ufffd"), "17ee53c5-ee86-5f35-ab71-5ad4023496b3"),
]


@pytest.mark.parametrize(("parts", "expected"), ARTICLES)
def test_the_golden_table_of_article_ids_holds(
    parts: tuple[str | None, str, str | None, str, str], expected: str
) -> None:
    assert identity.article_id(*parts) == UUID(expected)


def test_the_golden_ids_of_a_version_and_a_dead_letter_hold() -> None:
    article = identity.ArticleId(UUID("6ab965d8-fc2c-576d-add6-c70d0fb40e01"))
    digest = identity.text_digest("Title", "Text.")

    assert digest == "457ac33ed54eb3471e0452ac6843c83bad547213db83187438498f93acbe0617"
    assert identity.version_id(article, digest) == UUID("b3077b4c-e0a8-5214-a3a7-ced2ca181b25")
    assert identity.dead_letter_id("topic", "0", "17", "enrich") == UUID("e58b8754-3c27-5b55-84a5-d8367f643fd9")
    assert identity.IDENTITY_VERSION == 1


def test_parts_are_prefixed_with_their_length_so_that_nothing_moves_between_them() -> None:
    assert identity.text_digest("ab", "c") != identity.text_digest("a", "bc")
    assert identity.item_key("ab", "c") != identity.item_key("a", "bc")
    assert identity.dead_letter_id("1", "23") != identity.dead_letter_id("12", "3")
    assert identity.text_digest("ab", "c") == hashlib.sha256(b"2:ab1:c").hexdigest()


def test_an_article_and_a_version_never_share_an_id() -> None:
    url, item, text = (
        identity.article_id(*parts)
        for parts in [("http://a.example", "s", "1", "", ""), (None, "s", "1", "", ""), (None, "s", None, "", "")]
    )

    assert len({url, item, text, identity.version_id(url, identity.text_digest("", ""))}) == 4


SAME_TO_AN_EDITOR = {
    "typographic quotes": ("\u201cYes,\u201d she said. It\u2019s done.", '"Yes," she said. It\'s done.'),
    "dashes": ("a\u2013b \u2014 c", "a-b - c"),
    "an ellipsis": ("Wait\u2026", "Wait..."),
    "white space": ("  two\n\n words\u00a0here\t", "two words here"),
    "case": ("STRASSE", "stra\u00dfe"),
    "zero-width characters": ("zero\u200bwidth\ufeff and soft\u00adhyphen", "zerowidth and softhyphen"),
    "composed and decomposed letters": ("caf\u00e9", "cafe\u0301"),
    "ligatures and full-width letters": ("\ufb01n \uff21", "fin a"),
}


@pytest.mark.parametrize(("one", "other"), SAME_TO_AN_EDITOR.values(), ids=list(SAME_TO_AN_EDITOR))
def test_what_no_editor_calls_an_edit_changes_no_content_hash(one: str, other: str) -> None:
    assert identity.normalised(one) == identity.normalised(other)
    assert identity.content_hash("", one) == identity.content_hash("", other)
    assert identity.content_hash(one, "") == identity.content_hash(other, "")


# Before and behind NFKC, for a compatibility form may stand for a quote or a dash: what `normalised` does faster.
TYPOGRAPHY = {
    **dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u2032\u0060\u00b4"), "'"),
    **dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb"), '"'),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-"),
    **dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"), ""),
    ord("\u2026"): "...",
}
ODD = (
    "".join(map(chr, TYPOGRAPHY))
    + "\u2034\u2057\ufe58\uff0d\uff07\u0130\u00df\u03a3\u0345\x1c\x85\u00a0\u3000\ufb01aB e\u0301"
)


@given(st.text() | st.text(ODD) | st.text(st.characters(max_codepoint=127)))
def test_a_normalised_text_is_what_the_spelt_out_rule_makes_of_it(text: str) -> None:
    composed = unicodedata.normalize("NFKC", text.translate(TYPOGRAPHY)).translate(TYPOGRAPHY)

    assert identity.normalised(text) == " ".join(composed.casefold().split())


# Combining marks of two classes, one that stands for two marks, a letter with three, marks that `re` calls letters, and
# what breaks no run in the eyes of the cheap check but does in Unicode's.
MARKS = "\u0300\u0316\u0344\u0f73\uff9e\uff9f\u1f82e \u2019\u05b0\u0903\U0001d165\u20e3\u25cc"


def longest_run_of_marks(text: str) -> int:
    marks = "".join("m" if unicodedata.combining(c) else "-" for c in unicodedata.normalize("NFKD", text))
    return max(map(len, re.findall("m*", marks)))


def test_a_letter_with_a_million_marks_is_normalised_in_linear_time() -> None:
    text = "e" + "\u0300\u0316" * 500_000  # unbroken, sorting them takes minutes

    normalised = identity.normalised(text)

    assert len(normalised) == 1_000_000 + 1_000_000 // 30  # the first mark is composed, 33,333 breaks are put in
    assert normalised.startswith("\u00e8" + "\u0316" * 15 + "\u0300" * 14 + "\u034f")


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("a" + "\u0316" * 30, "a" + "\u0316" * 30),
        ("a" + "\u0316" * 31, "a" + "\u0316" * 30 + "\u034f\u0316"),
        ("\u0316" * 61, "\u0316" * 30 + "\u034f" + "\u0316" * 30 + "\u034f\u0316"),
        ("\u1f82" + "\u0316" * 28, "\u1f82" + "\u0316" * 27 + "\u034f\u0316"),
        ("a" + "\u0344" * 16, "a" + "\u0344" * 15 + "\u034f\u0344"),
        ("a" + "\u0316" * 20 + "\u25cc" + "\u0316" * 20, "a" + "\u0316" * 20 + "\u25cc" + "\u0316" * 20),
        ("a" + "\uff9e" * 31, "a" + "\u3099" * 30 + "\u034f\u3099"),
        ("\ufdfa" * 40, "\ufdfa" * 40),
        ("no mark", "no mark"),
        ("", ""),
    ],
)
def test_a_run_of_more_than_30_marks_is_broken_and_no_other(text: str, broken: str) -> None:
    assert identity.stream_safe(text) == broken


@given(
    st.text(MARKS, max_size=200)
    | st.lists(st.tuples(st.sampled_from(MARKS), st.integers(1, 40))).map(
        lambda runs: "".join(character * times for character, times in runs)
    )
)
def test_no_text_keeps_a_run_of_more_than_30_marks_and_none_without_one_changes_its_form(text: str) -> None:
    safe = identity.stream_safe(text)

    assert longest_run_of_marks(safe) <= 30
    assert unicodedata.normalize("NFKD", safe.replace("\u034f", "")) == unicodedata.normalize("NFKD", text)
    if longest_run_of_marks(text) <= 30:
        assert unicodedata.normalize("NFKC", safe) == unicodedata.normalize("NFKC", text)


def test_the_cheap_check_knows_all_marks_of_this_python() -> None:
    for character in map(chr, range(sys.maxunicode + 1)):
        marks = [unicodedata.combining(c) > 0 for c in unicodedata.normalize("NFKD", character)]
        if not any(marks):
            continue
        assert all(marks) == marks[0], f"U+{ord(character):04X} begins with a mark and is none"
        if all(marks):
            assert len(marks) <= 2
            assert identity.stream_safe(character * 31) != character * 31, f"U+{ord(character):04X} is not seen"
        else:
            assert marks[-4:].count(True) <= 3


@pytest.mark.parametrize(
    ("one", "other"),
    [("140 people", "164 people"), ("not guilty", "guilty"), ("re-sign", "resign"), ("1.5", "15"), ("Ann", "Anna")],
)
def test_an_edit_changes_the_content_hash(one: str, other: str) -> None:
    assert identity.content_hash("", one) != identity.content_hash("", other)


def test_the_title_is_content_of_its_own() -> None:
    assert identity.content_hash("a", "b") != identity.content_hash("", "a b")


def test_the_golden_content_hash_holds() -> None:
    assert identity.content_hash("Title", "\u201cText.\u201d") == (
        "041e78ccf1252bdc4e094d294bbf831558be5e00f9221b40138d984bb47092af"
    )


@given(st.text(st.characters(exclude_categories=[])))
def test_printable_text_has_as_many_code_points_and_can_be_stored(text: str) -> None:
    printed = identity.printable(text)

    assert len(printed) == len(text)
    assert "\x00" not in printed
    assert printed.encode().decode() == printed
    assert all(a == b or b == "\ufffd" for a, b in zip(text, printed, strict=True))


def test_a_delivery_id_is_a_version_7_uuid_of_now() -> None:
    before = time.time_ns() // 1_000_000
    made = identity.new_delivery_id()
    after = time.time_ns() // 1_000_000

    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert before <= made.int >> 80 <= after


def test_delivery_ids_differ_and_follow_the_clock() -> None:
    many = [identity.new_delivery_id() for _ in range(1000)]

    assert len(set(many)) == 1000
    assert [made.int >> 80 for made in many] == sorted(made.int >> 80 for made in many)

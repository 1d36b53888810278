import hashlib
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


def test_the_case_of_a_path_tells_pages_apart() -> None:
    assert identity.canonical_url("http://news.example/A") != identity.canonical_url("http://news.example/a")


HOSTS = st.text("aB.0-:[]@%\u3002\u00df\u00c9\u0130", min_size=1, max_size=12).map(lambda host: f"www.{host}")
PATHS = st.text("aB%0F;:/.~\u00e9 ?&=+#", max_size=16)


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

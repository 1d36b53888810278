import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Details, Enclosure, RawArticle
from producers import deliveries, web_articles
from producers.formats.entries import Entry
from producers.formats.page import Page

OBSERVED = datetime(2026, 11, 21, tzinfo=UTC)
IN_FEED = datetime(2026, 11, 17, 9, 30, tzinfo=UTC)
ON_PAGE = datetime(2026, 11, 17, tzinfo=UTC)
PICTURE = Enclosure(url="https://a.example/wall.jpg", type="image/jpeg", length=None)


def entry(**more: Any) -> Entry:
    said = Entry(
        key="1", digest="0", own_id="1", url="https://a.example/wall?utm_source=rss", title="Wall closed",
        byline="Ana Lind", text="Divers found a crack.", is_full=False, language="en", published_at=IN_FEED,
        updated_at=None, categories=("Harbour",), enclosures=(PICTURE,), notes=("from the feed",),
    )  # fmt: skip
    return dataclasses.replace(said, **more)


def page(**more: Any) -> Page:
    said = Page(
        url="https://a.example/wall", title="Wall closed - Saltmere Observer", byline="A. Lind",
        text="Divers found a crack.\n\nThe repair takes until spring.", language="en-GB", published_at=ON_PAGE,
        published_at_from="page", updated_at=OBSERVED, flags=("paywall",), categories=("Harbour", "Coast"),
        extractor="trafilatura 2", notes=("from the page",),
    )  # fmt: skip
    return dataclasses.replace(said, **more)


def from_entry(said: Entry, feed_language: str | None = None) -> RawArticle:
    return web_articles.from_entry(said, source="observer", feed_language=feed_language, observed_at=OBSERVED)


def from_page(said: Page, led_by: Entry | None = None) -> RawArticle:
    return web_articles.from_page(said, source="observer", observed_at=OBSERVED, entry=led_by)


def test_an_entry_becomes_an_article() -> None:
    article = from_entry(entry())

    assert article == RawArticle(
        delivery_id=article.delivery_id,
        observed_at=OBSERVED,
        source="observer",
        source_item_id="1",
        url="https://a.example/wall?utm_source=rss",
        title="Wall closed",
        byline="Ana Lind",
        body="Divers found a crack.",
        language="en",
        published_at=IN_FEED,
        notes=("from the feed",),
        details=Details(categories=("Harbour",), enclosures=(PICTURE,), published_at_from="source"),
    )


def test_an_entry_without_language_has_that_of_the_feed() -> None:
    assert from_entry(entry(language=None), feed_language="de").language == "de"
    assert from_entry(entry(language="fr"), feed_language="de").language == "fr"


def test_an_entry_that_says_only_when_it_was_updated_is_published_then() -> None:
    article = from_entry(entry(published_at=None, updated_at=IN_FEED))

    assert (article.published_at, article.updated_at) == (IN_FEED, IN_FEED)
    assert "only when it was updated" in article.notes[-1]


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_entry_without_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        from_entry(entry(text=text))

    assert refused.value.reason == Reason.NO_TEXT


def test_a_page_becomes_an_article() -> None:
    article = from_page(page())

    assert article == RawArticle(
        delivery_id=article.delivery_id,
        observed_at=OBSERVED,
        source="observer",
        url="https://a.example/wall",
        title="Wall closed - Saltmere Observer",
        byline="A. Lind",
        body="Divers found a crack.\n\nThe repair takes until spring.",
        language="en-GB",
        published_at=ON_PAGE,
        updated_at=OBSERVED,
        notes=("from the page",),
        details=Details(
            categories=("Harbour", "Coast"), published_at_from="page", extractor="trafilatura 2", flags=("paywall",)
        ),
    )


def test_the_feeds_word_on_date_title_id_and_byline_goes_before_the_pages() -> None:
    article = from_page(page(), entry())

    assert (article.source_item_id, article.title, article.byline) == ("1", "Wall closed", "Ana Lind")
    assert (article.published_at, article.language) == (IN_FEED, "en")
    assert article.url == "https://a.example/wall"
    assert article.body == page().text
    assert article.notes == ("from the feed", "from the page")
    assert article.details == Details(
        categories=("Harbour", "Coast"), enclosures=(PICTURE,), published_at_from="source", extractor="trafilatura 2",
        flags=("paywall",),
    )  # fmt: skip


def test_the_page_fills_what_the_feed_does_not_say() -> None:
    article = from_page(page(), entry(title="", byline=None, published_at=None, language=None, own_id=None))

    assert (article.title, article.byline) == ("Wall closed - Saltmere Observer", "A. Lind")
    assert (article.published_at, article.language, article.source_item_id) == (ON_PAGE, "en-GB", None)
    assert article.details is not None
    assert article.details.published_at_from == "page"


def test_a_title_that_the_feed_cut_off_is_the_pages() -> None:
    assert from_page(page(title="Wall closed at Saltmere"), entry(title="Wall closed at…")).title == (
        "Wall closed at Saltmere"
    )


def test_the_longer_text_is_taken_where_the_page_shows_less_than_the_feed() -> None:
    article = from_page(page(text="Subscribe to read."), entry(text="Divers found a crack in the harbour wall."))

    assert article.body == "Divers found a crack in the harbour wall."
    assert article.details is not None
    assert (article.details.extractor, article.details.flags) == (None, ("paywall",))
    assert "less text than the feed" in article.notes[-1]


def test_an_address_that_the_page_does_not_have_is_the_entrys() -> None:
    assert from_page(page(url=None), entry()).url == "https://a.example/wall?utm_source=rss"
    assert from_page(page(url="about:blank")).url is None


def test_a_page_without_text_is_refused() -> None:
    with pytest.raises(InvalidRecord) as refused:
        from_page(page(text=" "))

    assert refused.value.reason == Reason.NO_TEXT


def test_whatever_is_too_long_is_bounded_and_the_record_can_be_written() -> None:
    article = from_page(
        page(
            title="t" * 20_000, byline="b" * 5_000, language="l" * 50, extractor="e" * 500,
            categories=tuple(f"{i}" * 600 for i in range(300)), url="https://a.example/" + "u" * 9_000,
        ),
        entry(title="", byline=None, language=None, url=None, own_id="i" * 3_000, enclosures=(PICTURE,) * 200),
    )  # fmt: skip

    assert RawArticle.from_bytes(deliveries.value_of(article)) == article

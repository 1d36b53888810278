"""What stands in the way of an article: a payment, a question about cookies, or a live page that is elsewhere.

A whole article is never taken for one: each needs both its sign and hardly any text.
"""

import re
import tomllib
from pathlib import Path
from typing import Final

from lxml.html import HtmlElement

from pipeline.records import Flag
from producers.formats.page_head import Head

#: Words of what a reader sees of an article that must be paid for; some publishers show three paragraphs.
TEASER_WORDS: Final = 250
#: The same where only a phrase says so, and not the page itself.
STUB_WORDS: Final = 160
#: The page says how long its article is: with less than this share the rest is missing.
LEAST_SHARE: Final = 0.6
CONSENT_WORDS: Final = 700
#: Of 100 words of a question about cookies so many are about that.
CONSENT_PERCENT: Final = 3.5
BEGINNING_CHARACTERS: Final = 400
HARDLY_ANY_WORDS: Final = 50
LIVE_WORDS: Final = 120
#: Markup beyond this is not searched for phrases.
_MAX_MARKED: Final = 200

_WORD: Final = re.compile(r"\w+")


def _phrases() -> dict[str, re.Pattern[str]]:
    """Each table of the phrases, of all languages."""
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    marks = tables.pop("marks")
    found = {name: "|".join(p for phrases in table.values() for p in phrases) for name, table in tables.items()}
    found["consent-words"] = rf"\b(?:{found['consent-words']})\b"
    found |= {f"mark of {name}": "|".join(parts) for name, parts in marks.items()}
    return {name: re.compile(phrases, re.IGNORECASE) for name, phrases in found.items()}


_PHRASES: Final = _phrases()
_STUB: Final = _PHRASES["payment"]
_PAY_MARK: Final = _PHRASES["mark of payment"]
_CONSENT: Final = _PHRASES["consent"]
_CONSENT_MARK: Final = _PHRASES["mark of consent"]
_CONSENT_WORD: Final = _PHRASES["consent-words"]
_LIVE: Final = _PHRASES["live"]
_SCRIPTED: Final = _PHRASES["scripts"]


def flags_of(tree: HtmlElement, head: Head, title: str, text: str) -> tuple[Flag, ...]:
    """What the page is instead of an article, as far as it shows."""
    words = len(_WORD.findall(text))
    if _asks_for_consent(tree, head, title, text, words):
        return ("consent-wall",)
    found: list[Flag] = []
    if _asks_for_payment(tree, head, text, words):
        found.append("paywall")
    if _is_live_shell(head, title, text, words):
        found.append("live-shell")
    return tuple(found)


def looks_like(tree: HtmlElement, head: Head) -> str:
    """What a page without any text looks like, to end a sentence."""
    marked = _marked(tree, _CONSENT_MARK)
    said = " ".join(tree.text_content().split())[:20_000]
    if head.is_paid or _marked(tree, _PAY_MARK) or _STUB.search(said):
        return "a page behind a payment"
    if marked or _CONSENT.search(said):
        return "a question about cookies"
    if head.is_live or _LIVE.search(said):
        return "the shell of a live page"
    if next(tree.iter("frameset"), None) is not None:
        return "a page of frames: the text is at other addresses"
    scripts = sum(1 for _ in tree.iter("script"))
    if _SCRIPTED.search(said) or (scripts and len(said) < 500):
        return "a page that a browser would draw by its scripts"
    return "a list of links or pictures" if next(tree.iter("a", "img"), None) is not None else "an empty page"


def _asks_for_payment(tree: HtmlElement, head: Head, text: str, words: int) -> bool:
    if head.words is not None and words >= LEAST_SHARE * head.words and words > HARDLY_ANY_WORDS:
        return False  # all of it is there, paid or not
    if head.is_paid and words < TEASER_WORDS:
        return True
    if head.is_paid and head.words is not None and words < LEAST_SHARE * head.words:
        return True
    if words >= STUB_WORDS:
        return False
    end = text[-600:]
    return bool(_STUB.search(end)) or any(_STUB.search(said) for said in _marked(tree, _PAY_MARK))


def _asks_for_consent(tree: HtmlElement, head: Head, title: str, text: str, words: int) -> bool:
    if words >= CONSENT_WORDS or (head.is_article and words > HARDLY_ANY_WORDS and _CONSENT_WORD.search(title)):
        return False
    about = len(_CONSENT_WORD.findall(text))
    begins = len(_CONSENT_WORD.findall(text[:BEGINNING_CHARACTERS])) > 1  # of an article that has it at its end, no
    if begins and about * 100 >= words * CONSENT_PERCENT and about >= 3 and _CONSENT.search(text):
        return not (head.is_article and head.published is not None and words > TEASER_WORDS)
    return (
        words < HARDLY_ANY_WORDS
        and not head.is_article
        and any(_CONSENT.search(s) for s in _marked(tree, _CONSENT_MARK))
    )


def _is_live_shell(head: Head, title: str, text: str, words: int) -> bool:
    if words >= LIVE_WORDS:
        return False
    return (head.is_live and not head.live_updates) or bool(_LIVE.search(f"{title}\n{text}"))


def _marked(tree: HtmlElement, mark: re.Pattern[str]) -> list[str]:
    """What stands in the elements whose id or class is of this kind."""
    found = []
    for element in tree.iter("div", "section", "aside", "form", "p", "dialog", "main", "body"):
        name = f"{element.get('id') or ''} {element.get('class') or ''}"
        if len(name) < 2000 and mark.search(name):
            found.append(" ".join(element.text_content().split())[:5000])
            if len(found) >= _MAX_MARKED:
                break
    return found

"""The bytes of a page -> its tree: characters made out, size bounded before anything walks through it."""

import re
from typing import Final

from lxml.html import HtmlElement
from trafilatura import load_html
from w3lib.encoding import html_body_declared_encoding

from pipeline.errors import InvalidRecord, Reason
from producers.formats import decoding
from producers.formats.decoding import Decoded

#: Characters of a page at most; what fetches it has its own limit on bytes.
MAX_CHARACTERS: Final = 10_000_000
#: Elements at most: the largest real pages have some ten thousand, and each one takes its time.
MAX_ELEMENTS: Final = 150_000
#: Of its beginning a page has this share of control and broken characters at most.
MAX_CONTROL: Final = 0.05
#: Where the declaration of a character set stands, if there is one.
_BEGINNING: Final = 4096

_SIGNATURES: Final = (
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"GIF8", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "packed with gzip"),
)
_XML_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]{0,500}\?>")
_IS_PAGE: Final = re.compile(r"<(?:html|body|head|frameset)[\s>]", re.IGNORECASE)
# A picture in an address, the state of a whole application: nothing reads it here, and searching it takes seconds.
_HUGE_VALUE: Final = re.compile(r"""(=\s*)(?:"[^"<>]{20000,}"|'[^'<>]{20000,}')""")
# libxml2 takes quadratic time for the attributes of one element.
_MANY_ATTRIBUTES: Final = re.compile(
    r"""<[a-zA-Z][\w:-]*+(?:\s++[^\s=<>"'/]++(?:=(?:"[^"<>]*+"|'[^'<>]*+'|[^\s"'<>]++))?){2000}"""
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\ufffd]")


def decoded(html: bytes, charset: str | None) -> Decoded:
    """The characters of a page; `charset` is the server's word. Raises InvalidRecord for what calls itself no page."""
    for signature, what in _SIGNATURES:
        if html.startswith(signature):
            raise InvalidRecord(Reason.NO_TEXT, f"It is no HTML but {what}: there is no text to take.")
    own = html_body_declared_encoding(html[:_BEGINNING])
    # UTF-8 is found out without being told: where the page says that and is not, the server may know better.
    return decoding.decoded(html, charset if own is None or own.startswith("utf") else own)


def parsed(text: str) -> HtmlElement:
    """The tree of a page, or of a piece of one. Raises InvalidRecord for what is no HTML, or too much of it."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidRecord(Reason.TOO_LARGE, f"The page has {len(text):,} characters; {MAX_CHARACTERS:,} are read.")
    if not text.strip():
        raise InvalidRecord(Reason.NO_TEXT, "The page is empty.")
    beginning = text[:_BEGINNING]
    if len(_CONTROL.findall(beginning)) > MAX_CONTROL * len(beginning):
        raise InvalidRecord(Reason.NO_TEXT, "It is no HTML but something binary: there is no text to take.")
    text = _HUGE_VALUE.sub(r'\1""', _XML_DECLARATION.sub("", text, count=1))
    if _MANY_ATTRIBUTES.search(text):
        raise InvalidRecord(Reason.TOO_LARGE, "An element of the page has more than 2,000 attributes.")
    tree = load_html(_whole(text))
    if tree is None or not isinstance(tree.tag, str):
        raise InvalidRecord(Reason.NO_TEXT, "It is no HTML that can be read: there is no text to take.")
    count = sum(1 for _ in tree.iter())
    if count > MAX_ELEMENTS:
        raise InvalidRecord(Reason.TOO_LARGE, f"The page has {count:,} elements; {MAX_ELEMENTS:,} are read.")
    return tree


def _whole(text: str) -> str:
    """A page that begins like one: trafilatura takes nothing else for HTML."""
    if not _IS_PAGE.search(text[:100_000]):
        return f"<html><body>{text}</body></html>"
    return text if "html" in text[:50].lower() else f"<!DOCTYPE html>\n{text}"

"""HTML or plain text as feeds carry them -> plain text: paragraphs by blank lines, list items and breaks as lines.

Feeds escape twice, or not at all, or decode twice: what is surely such a slip is undone. Typography stays as it is.
"""

import html
import re
import threading
from collections.abc import Mapping
from typing import Any, Final

import ftfy
from lxml import etree

from pipeline import identity

#: Code points of markup that are read; a record holds a fifth of it.
MAX_MARKUP: Final = 5_000_000
#: … of a title or a name: twice what a record holds.
MAX_LINE: Final = 20_000

_BLOCKS: Final = frozenset(
    "address article aside blockquote body center details dialog div dl fieldset footer form h1 h2 h3 h4 h5 h6 header "
    "hr main nav ol p pre section table ul".split()
)
_LINES: Final = frozenset("br caption dd dt li option summary tr".split())
# Nothing in these is text of the article; a picture's caption is not either.
_LEFT_OUT: Final = frozenset(
    "audio button canvas embed figcaption frame head iframe input map math noembed noscript object script select "
    "style svg template textarea title video".split()
)
_VOID: Final = frozenset("area base br col embed hr img input link meta param source track wbr".split())
#: Classes of what other sites embed, and of pictures' captions.
_EMBEDS: Final = re.compile(
    r"\b(?:twitter-(?:tweet|video)|instagram-media|tiktok-embed|fb-(?:post|video)|reddit-(?:card|embed\w*)|"
    r"bluesky-embed|mastodon-embed|wp-caption-text|wp-embedded-content|imgur-embed-pub|telegram-post)\b",
    re.IGNORECASE,
)

_TAG_NAMES: Final = (
    r"a|abbr|acronym|address|applet|article|aside|audio|b|big|blink|blockquote|br|caption|center|cite|code|dd|del|dfn|"
    r"div|dl|dt|em|embed|figure|figcaption|font|footer|form|h[1-6]|header|hr|i|iframe|img|ins|kbd|li|mark|marquee|nav|"
    r"noscript|ol|p|picture|pre|q|s|samp|script|section|small|span|strike|strong|style|sub|sup|table|tbody|td|tfoot|th|"
    r"thead|time|tr|tt|u|ul|video|wbr"
)
# Known names, and what is surely markup whatever its name: a tag that ends, or has an attribute. "<" alone is none.
# Strangers write the texts that these search: none of them may look at a place more than some hundred times.
_TAG: Final = re.compile(
    rf"<(?=[A-Za-z/!])(?:/?(?:{_TAG_NAMES})(?=[\s/>])[^<>]*>|!--|/[a-z][\w:-]{{0,30}}\s*>|"
    r"[a-z][\w:-]{0,30}\s[^<>=]*=[^<>]*>)",
    re.IGNORECASE,
)
_HIDDEN: Final = re.compile(
    r"<(?P<name>script|style)\b[^<>]{0,300}>.{0,1000}?</(?P=name)\s*>|<!--.{0,1000}?-->", re.IGNORECASE | re.DOTALL
)
_SURE_TAG: Final = re.compile(rf"</(?:{_TAG_NAMES})\s*>|<(?:br|p|img)\b[^<>]*>", re.IGNORECASE)
_SPACING_TAG: Final = re.compile(r"</?(?:br|div|h[1-6]|li|p|td|tr)\b", re.IGNORECASE)
_ESCAPED_TAG: Final = re.compile(
    rf"&(?:amp;){{0,2}}(?:lt|#60|#x3c);/?(?:{_TAG_NAMES})(?=[\s/&])[^<>]{{0,300}}?&(?:amp;){{0,2}}(?:gt|#62|#x3e);",
    re.IGNORECASE,
)
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_MOST_ESCAPES: Final = 3

_PARAGRAPH_END: Final = re.compile(r"[^\S\n]*\n[^\S\n]*(?:\n[^\S\n]*)+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# A letter with which UTF-8 begins a character, and one of those that follow it, as Windows-1252 shows the two.
_MAYBE_MOJIBAKE: Final = re.compile(r"[\xc2-\xf4][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]")
_MOJIBAKE: Final = ftfy.TextFixerConfig(unescape_html=False, replace_lossy_sequences=False)


def of_html(markup: str) -> str:
    """The text of a fragment of HTML, however deep and broken; of plain text, its paragraphs."""
    markup = identity.printable(markup[:MAX_MARKUP])
    if "<" not in markup and "&" not in markup:
        return _paragraphs(markup)
    for _ in range(_MOST_ESCAPES):
        if _TAG.search(markup) or not _ESCAPED_TAG.search(markup):
            break
        markup = html.unescape(markup)
    if not _TAG.search(markup):
        return _paragraphs(_unescaped(markup))
    return _unescaped(_local.reader.read(markup))


def of_plain(text: str) -> str:
    """The text of what is said to be plain: its paragraphs; entities left in it are resolved."""
    return _paragraphs(_unescaped(identity.printable(text[:MAX_MARKUP])))


def of_lines(text: str) -> str:
    """The text of what is plain and has meaning in its lines."""
    lines = (_one_line(line) for line in _unescaped(identity.printable(text[:MAX_MARKUP])).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def of_element(element: "etree._Element") -> str:
    """The text of markup that stands in XML unescaped (xhtml)."""
    builder = _Builder()
    builder.read(element)
    return _unescaped(builder.text())


def looks_like_html(text: str) -> bool:
    """Whether a text that is called plain has HTML in it: a tag that ends, or a break."""
    return "<" in text and _SURE_TAG.search(text) is not None


def line(markup: str, *, is_plain: bool = False) -> str:
    """A title or a name as one line of plain text. A "<" that begins no tag of HTML stays."""
    markup = identity.printable(markup[:MAX_LINE])
    for _ in range(_MOST_ESCAPES):
        plain = markup if is_plain else _without_tags(markup)
        resolved = _resolved(plain)
        if resolved == markup:
            break
        markup = resolved
    return _one_line(markup)


def repaired(text: str) -> str:
    """A text with its lines, without control characters and surely wrong decoding ("CafÃ©")."""
    return "\n".join(map(_repaired, identity.printable(text).split("\n")))


def _one_line(text: str) -> str:
    return _repaired(" ".join(text.split()))


def _repaired(line: str) -> str:
    if not line.isprintable():
        line = _CONTROL.sub("", line)
    if not line.isascii() and _MAYBE_MOJIBAKE.search(line):
        fixed = ftfy.fix_encoding(line, config=_MOJIBAKE)
        return line if "\ufffd" in fixed and "\ufffd" not in line else fixed
    return line


def _paragraphs(text: str) -> str:
    """Plain text without its wrapping: a blank line ends a paragraph."""
    if "\n" not in text and "\r" not in text:
        return _one_line(text)
    parts = _PARAGRAPH_END.split(text.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n\n".join(paragraph for part in parts if (paragraph := _one_line(part)))


def _unescaped(text: str) -> str:
    for _ in range(_MOST_ESCAPES):
        resolved = _resolved(text)
        if resolved == text:
            break
        text = resolved
    return text


def _without_tags(markup: str) -> str:
    if "<" not in markup:
        return markup
    if "<s" in markup or "<S" in markup or "<!--" in markup:
        markup = _HIDDEN.sub("", markup)
    return _TAG.sub(lambda tag: " " if _SPACING_TAG.match(tag[0]) else "", markup)


def _resolved(text: str) -> str:
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text) if "&" in text else text


class _Builder:
    """Takes the tags and texts of a document in order (as a target of lxml does) and makes text of them."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget what was read."""
        self._parts: list[str] = []
        self._line: list[str] = []
        self._breaks = 0  # line feeds that stand between what was written and what comes
        self._left_out: str | None = None
        self._left_out_depth = 0
        self._pre = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """A tag begins."""
        if self._left_out is not None:
            self._left_out_depth += tag == self._left_out
            return
        if (tag in _LEFT_OUT or _is_embed(attributes)) and tag not in ("html", "body"):
            if tag not in _VOID:
                self._left_out, self._left_out_depth = tag, 1
            return
        if tag in _BLOCKS:
            self._break(2)
            self._pre += tag == "pre"
        elif tag == "br":
            self._break(min(self._breaks + 1, 2) if not self._line else 1)
        elif tag in _LINES:
            self._break(1)
        elif tag in ("td", "th"):
            self._line.append(" ")

    def end(self, tag: str) -> None:
        """A tag ends."""
        if self._left_out is not None:
            self._left_out_depth -= tag == self._left_out
            if self._left_out_depth == 0:
                self._left_out = None
            return
        if tag in _BLOCKS:
            self._break(2)
            self._pre -= tag == "pre" and self._pre > 0
        elif tag in _LINES and tag != "br":
            self._break(1)

    def data(self, text: str) -> None:
        """A text between tags."""
        if self._left_out is not None:
            return
        if self._pre and "\n" in text:
            for part in text.split("\n"):
                self._line.append(part)
                self._break(1)
        else:
            self._line.append(text)

    def comment(self, text: str) -> None:
        """A comment says nothing."""

    def close(self) -> None:
        """The end of the document."""

    def read(self, element: "etree._Element") -> None:
        """Everything in an element of XML, by the local names of its tags."""
        self.data(element.text or "")
        for event, inner in etree.iterwalk(element, events=("start", "end")):
            if inner is element:
                continue
            is_tag = isinstance(inner.tag, str)  # and no comment
            tag = inner.tag.rpartition("}")[2].rpartition(":")[2].lower() if is_tag else ""
            if event == "start":
                if is_tag:
                    self.start(tag, {str(name): str(value) for name, value in inner.attrib.items()})
                    self.data(inner.text or "")
            else:
                if is_tag:
                    self.end(tag)
                self.data(inner.tail or "")

    def text(self) -> str:
        """The text so far."""
        self._break(0)
        return "".join(self._parts)

    def _break(self, lines: int) -> None:
        if self._line:
            written = _one_line("".join(self._line))
            self._line.clear()
            if written:
                if self._parts:
                    self._parts.append("\n" * max(self._breaks, 1))
                self._parts.append(written)
                self._breaks = 0
        self._breaks = max(self._breaks, lines)


class _HtmlReader:
    """One parser for many fragments: lxml takes longer to make one than to read a paragraph."""

    def __init__(self) -> None:
        self._builder = _Builder()
        self._parser = self._made()

    def read(self, markup: str) -> str:
        """The text of a fragment."""
        self._builder.begin()
        try:
            self._parser.feed(markup.encode())
            self._parser.close()
        except (etree.LxmlError, AssertionError):  # lxml asserts where it was given nothing at all
            self._parser = self._made()
        return self._builder.text()

    def _made(self) -> etree.HTMLParser:
        target: Any = self._builder  # the stubs want what takes bytes too
        return etree.HTMLParser(target=target, encoding="utf-8", remove_comments=True, remove_pis=True)


class _Local(threading.local):
    """A reader of its own for each thread."""

    def __init__(self) -> None:
        self.reader = _HtmlReader()


_local: Final = _Local()


def _is_embed(attributes: Mapping[str, str]) -> bool:
    classes = attributes.get("class")
    return classes is not None and _EMBEDS.search(classes) is not None

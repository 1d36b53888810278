"""The characters of RSS (0.9x, 1.0, 2.0) or Atom (0.3, 1.0) -> what the feed and its entries say.

Three readers, the quickest first; all give the same:

    libxml2              well-formed XML, and what comes before a feed is cut off
    libxml2, repaired    after the slips that most broken feeds have: entities of HTML, bare "&" and "<", prefixes that
                         are not declared, references to characters that XML does not have
    feedparser           whatever else calls itself a feed

feedparser alone reads a few hundred entries a second; libxml2 leaves time for their text. No DOCTYPE reaches any of
them: the entities that one declares are not resolved, so that there is nothing to expand and nothing to fetch.
"""

import base64
import html
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urljoin

import feedparser
from lxml import etree

from pipeline.errors import InvalidRecord, Reason
from producers.formats import html_text
from producers.formats.entries import MAX_ENTRIES, Attached, Kind, Said, SaidByFeed

Element = etree._Element

_MINUTE: Final = 60.0
#: sy:updatePeriod in seconds.
_PERIODS: Final = {"hourly": 3600.0, "daily": 86400.0, "weekly": 604800.0, "monthly": 2592000.0, "yearly": 31536000.0}

_NAMESPACES: Final = {
    "": "",
    "http://purl.org/rss/1.0/": "",
    "http://my.netscape.com/rdf/simple/0.9/": "",
    "http://channel.netscape.com/rdf/simple/0.9/": "",
    "http://my.netscape.com/publish/formats/rss-0.91.dtd": "",
    "http://backend.userland.com/rss": "",
    "http://backend.userland.com/rss091": "",
    "http://backend.userland.com/rss092": "",
    "http://backend.userland.com/rss2": "",
    "http://blogs.law.harvard.edu/tech/rss": "",
    "http://cyber.law.harvard.edu/rss/rss.html": "",
    "http://www.w3.org/2005/atom": "",
    "http://purl.org/atom/ns#": "",
    "http://purl.org/rss/1.0/modules/content/": "content:",
    "http://purl.org/dc/elements/1.1/": "dc:",
    "http://purl.org/dc/terms/": "dcterms:",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes:",
    "http://search.yahoo.com/mrss/": "media:",
    "http://search.yahoo.com/mrss": "media:",
    "http://purl.org/rss/1.0/modules/syndication/": "sy:",
    "http://rssnamespace.org/feedburner/ext/1.0": "feedburner:",
    "http://www.w3.org/1999/xhtml": "xhtml:",
}
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_ATOM: Final = ("http://www.w3.org/2005/atom", "http://purl.org/atom/ns#")
_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_ROOTS: Final = frozenset(("rss", "feed", "rdf", "channel"))
_PARENTS: Final = frozenset(("rss", "feed", "rdf", "channel", "items"))
#: Elements whose ends are waited for.
_WATCHED: Final = tuple(f"{{*}}{name}" for name in ("item", "entry", "rss", "feed", "RDF", "rdf", "channel"))

_LIMITS: Final = (
    etree.ErrorTypes.ERR_RESOURCE_LIMIT,
    etree.ErrorTypes.ERR_NAME_TOO_LONG,
    etree.ErrorTypes.ERR_ENTITY_LOOP,
)

_NOT_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_DECLARATION: Final = re.compile(r"\s*<\?xml[^>]*>", re.IGNORECASE)
_DOCTYPE: Final = re.compile(r"<!DOCTYPE", re.IGNORECASE)
_IN_DOCTYPE: Final = re.compile(r"[\"'\[\]>]|<!--")
_ROOT: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|(?P<root><(?:[A-Za-z_][\w.-]*:)?(?:rss|feed|RDF|channel)(?=[\s>/]))", re.IGNORECASE | re.DOTALL
)
_OPENED: Final = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?(?:item|entry)[\s>]", re.IGNORECASE)
_CLOSED: Final = re.compile(r"</(?:[A-Za-z_][\w.-]*:)?(?:item|entry)\s*>", re.IGNORECASE)
_ROOT_CLOSED: Final = re.compile(r"</(?:[A-Za-z_][\w.-]*:)?(?:rss|feed|RDF|channel)\s*>", re.IGNORECASE)

_CDATA: Final = re.compile(r"(<!\[CDATA\[.*?(?:\]\]>|\Z))", re.DOTALL)
_REFERENCE: Final = re.compile(r"&(?:#(\d{1,10});|#[xX]([0-9A-Fa-f]{1,8});|([A-Za-z][A-Za-z0-9]{1,30});)?")
_BARE_TAG: Final = re.compile(r"<(?![A-Za-z_/!?])")
_PREFIX: Final = re.compile(r"<([A-Za-z_][\w.-]*):|\s([A-Za-z_][\w.-]*):[\w.-]+\s*=\s*[\"']")
_OF_XML: Final = frozenset(("amp", "lt", "gt", "quot", "apos"))
_KNOWN_PREFIXES: Final = {prefix[:-1]: uri for uri, prefix in _NAMESPACES.items() if prefix} | {
    "rdf": _RDF,
    "atom": "http://www.w3.org/2005/Atom",
    "media": "http://search.yahoo.com/mrss/",
}


def begins(text: str) -> re.Match[str] | None:
    """Where the root of a feed begins in a document; one in a comment is none."""
    return next((found for found in _ROOT.finditer(text) if found["root"]), None)


def read(text: str, url: str) -> SaidByFeed:
    """Read a feed that `begins` somewhere. Raises InvalidRecord (`unreadable`) where nothing of it can be read."""
    notes: list[str] = []
    text = _from_its_beginning(text, notes)
    if _NOT_XML.search(text):
        text = _NOT_XML.sub("", text)
        notes.append("It has control characters, which XML does not have; they were left out.")

    attempt = _Attempt(text, url)
    if attempt.error is None:
        # Entries under other names than ours (Channel Definition Format, capitals) are for feedparser to find.
        is_strange = attempt.root is None or (not attempt.entries and _OPENED.search(text) is not None)
        return _with_notes(_by_feedparser(text, url) if is_strange else attempt.said(), notes)
    wrong = f"The XML is not well-formed ({attempt.error})"
    if attempt.is_too_much and attempt.root is not None:
        return _with_notes(attempt.said(), [*notes, f"{wrong}: what came before it was taken."])
    if attempt.is_whole and attempt.entries:
        return _with_notes(attempt.said(), [*notes, f"{wrong}: what could be read was taken."])

    repaired = _repaired(text)
    if repaired != text:
        attempt = _Attempt(repaired, url)
    if (attempt.error is None or attempt.is_whole) and attempt.entries:
        return _with_notes(attempt.said(), [*notes, f"{wrong}: what could be read was taken."])
    is_cut = not _ROOT_CLOSED.search(text)
    unfinished = is_cut and len(_OPENED.findall(text)) > len(_CLOSED.findall(text))
    if is_cut and attempt.entries and len(attempt.entries) >= len(_OPENED.findall(text)) - unfinished:
        return _with_notes(attempt.said(), [*notes, _cut(wrong, unfinished)])

    said = _by_feedparser(repaired, url)
    if unfinished and said.entries and said.total <= MAX_ENTRIES:
        del said.entries[-1]  # what is there of it would be a version of its own, and the next fetch has it whole
        said.total -= 1
    return _with_notes(said, [*notes, _cut(wrong, unfinished) if is_cut else f"{wrong}: what could be read was taken."])


def _with_notes(said: SaidByFeed, notes: list[str]) -> SaidByFeed:
    said.notes[:0] = notes
    return said


def _cut(wrong: str, unfinished: bool) -> str:
    return f"{wrong}: it is cut off{', and its last entry was left out' if unfinished else ''}."


def _explained(error: Any) -> str:
    what = str(getattr(error, "message", None) or getattr(error, "msg", None) or "")
    line = getattr(error, "line", None) or getattr(error, "lineno", None) or 1
    return f"line {line}: {html_text.line(what.partition(', line ')[0].partition('<')[0], is_plain=True)[:120]}"


def _from_its_beginning(text: str, notes: list[str]) -> str:
    """The document without declaration and DOCTYPE, and without what others wrote before it."""
    root = begins(text)
    if root is None:
        return text
    head = _without_doctypes(_DECLARATION.sub("", text[: root.start()]))
    if re.sub(r"<!--.*?-->|<\?.*?\?>", "", head, flags=re.DOTALL).strip("\ufeff \t\r\n"):
        notes.append("Something stands before the beginning of the feed; it was left out.")
    return text[root.start() :]


def _without_doctypes(head: str) -> str:
    while begin := _DOCTYPE.search(head):
        at, depth = begin.end(), 0
        while found := _IN_DOCTYPE.search(head, at):
            what, at = found[0], found.end()
            if what == "[":
                depth += 1
            elif what == "]":
                depth -= 1
            elif what == ">":
                if depth <= 0:
                    break
            else:
                ending = "-->" if what == "<!--" else what
                end = head.find(ending, at)
                at = len(head) if end < 0 else end + len(ending)
        else:
            at = len(head)
        head = head[: begin.start()] + head[at:]
    return head


def _repaired(text: str) -> str:
    """The document after the most common slips are mended; CDATA stays as it is."""
    parts = _CDATA.split(text)
    parts[::2] = [_BARE_TAG.sub("&lt;", _REFERENCE.sub(_reference, part)) for part in parts[::2]]
    markup = "".join(parts[::2])
    declared = set(re.findall(r"xmlns:([\w.-]+)\s*=", markup))
    used = {first or second for first, second in _PREFIX.findall(markup)} - declared - {"xml", "xmlns"}
    repaired = "".join(parts)
    root = begins(repaired)
    if root is not None and used:
        added = "".join(
            f' xmlns:{prefix}="{_KNOWN_PREFIXES.get(prefix.lower(), f"urn:x-undeclared:{prefix}")}"'
            for prefix in sorted(used)
        )
        repaired = repaired[: root.end()] + added + repaired[root.end() :]
    return repaired


def _reference(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if name is not None:
        if name in _OF_XML:
            return found[0]
        character = html.unescape(found[0])
        return "&amp;" + found[0][1:] if character == found[0] else html.escape(character)
    if decimal is None and hexadecimal is None:
        return "&amp;"
    number = int(decimal) if decimal is not None else int(hexadecimal, 16)
    if number > 0x10FFFF or _NOT_XML.match(chr(number)):
        return ""
    return found[0]


class _Names(dict[Any, str]):
    """A tag of lxml -> our name for it, as "title" or "dc:creator"; "" for what says nothing to us."""

    def __init__(self, root: Element) -> None:
        super().__init__()
        self._core = _parts(root)[0]

    def __missing__(self, tag: object) -> str:
        name = ""
        if isinstance(tag, str):  # not a comment
            namespace, _, local = tag[1:].rpartition("}") if tag.startswith("{") else ("", "", tag)
            namespace = namespace.lower()
            prefix = "" if namespace == self._core else _NAMESPACES.get(namespace)
            if prefix is None and "backend.userland.com/rss" in namespace:
                prefix = ""
            if prefix is not None:  # a prefix that is not declared stands in the local name
                name = prefix + local.lower()
        self[tag] = name
        return name


class _Attempt:
    """One reading of a document by libxml2: the entries that are whole, and the error that it ended with."""

    def __init__(self, text: str, url: str) -> None:
        self.entries: list[Element] = []
        self.error: str | None = None
        self.is_whole = False
        self.is_too_much = False
        self._url = url
        self.root: Element | None = None
        parser = etree.XMLPullParser(
            events=("start", "end"), tag=_WATCHED, resolve_entities=False, no_network=True, load_dtd=False,
            dtd_validation=False, huge_tree=False, remove_comments=True, remove_pis=True, base_url=url or None,
        )  # fmt: skip
        try:
            parser.feed(text.encode())
            parser.close()
        except etree.XMLSyntaxError as error:
            log: Any = parser.feed_error_log  # that of the exception has the errors of other documents too
            first = next((entry for entry in log if entry.level >= etree.ErrorLevels.ERROR), error)
            self.error = _explained(first)
            # Nested too deep, a name too long: feedparser has no such limits, and takes a minute instead.
            self.is_too_much = getattr(first, "type", None) in _LIMITS
        for event, element in cast("Iterator[tuple[str, Element]]", parser.read_events()):
            if self.root is None:
                self.root = element
            name = _local(element)
            if event == "end" and element is self.root:
                self.is_whole = True
            elif event == "end" and name in ("item", "entry"):
                parent = element.getparent()
                if parent is not None and _local(parent) in _PARENTS:
                    self.entries.append(element)

    def said(self) -> SaidByFeed:
        """What the feed says, with the entries that are whole."""
        assert self.root is not None  # noqa: S101 - the caller has looked
        return _Reader(self.root, self._url).feed(self.entries)


def _parts(element: Element) -> tuple[str, str]:
    """Namespace and local name in lower case; of a comment two empty ones."""
    tag = element.tag
    if not isinstance(tag, str):
        return "", ""
    namespace, _, local = tag.lower().rpartition("}")
    return namespace[1:], local


def _local(element: Element) -> str:
    return _parts(element)[1].rpartition(":")[2]


class _Reader:
    """Elements of one feed -> what they say."""

    def __init__(self, root: Element, url: str) -> None:
        self._root = root
        self._url = url
        self._names = _Names(root)
        namespace, local = _parts(root)[0], _local(root)
        self._kind: Kind = "atom" if local == "feed" or namespace in _ATOM else "rdf" if local == "rdf" else "rss"

    def feed(self, entries: list[Element]) -> SaidByFeed:
        """What the feed says of itself and in its entries."""
        said = SaidByFeed(kind=self._kind, language=self._root.get(_LANG), base=self._url, total=len(entries))
        period, frequency = None, 1.0
        authors: list[str] = []
        for element in self._of_feed():
            match self._names[element.tag]:
                case "title" if not said.title:
                    said.title = self._line(element)
                case "language" | "dc:language":
                    said.language = _text(element) or said.language
                case "link" if self._kind != "atom" and not element.get("href") and _text(element):
                    said.base = _joined(self._url, _text(element))
                case "ttl":
                    said.ttl_seconds = _number(_text(element), _MINUTE)
                case "sy:updateperiod":
                    period = _PERIODS.get(_text(element).lower())
                case "sy:updatefrequency":
                    frequency = _number(_text(element), 1.0) or 1.0
                case "author" if self._kind == "atom":
                    authors.extend(self._author(element))
        if said.ttl_seconds is None and period is not None:
            said.ttl_seconds = period / max(frequency, 1.0)
        for element in entries[:MAX_ENTRIES]:
            entry = self._entry(element)
            if not entry.authors and authors:  # Atom: the feed's author is that of entries without one
                entry.authors.extend(authors)
            said.entries.append(entry)
        return said

    def _of_feed(self) -> Iterator[Element]:
        """The elements that speak of the feed itself."""
        for element in self._root:
            if _local(element) == "channel":
                yield from (inner for inner in element if _local(inner) not in ("item", "entry"))
            elif _local(element) not in ("item", "entry"):
                yield element

    def _entry(self, item: Element) -> Said:
        draft = _Draft(Said(language=item.get(_LANG)))
        for element in item:
            read = _READERS.get(self._names[element.tag])
            if read is not None:
                read(self, element, draft)
        said = draft.said
        if not said.title and draft.other_title is not None:
            said.title = self._line(draft.other_title)
        if not said.summary and draft.other_summary is not None:
            said.summary = self._text(draft.other_summary)
        said.published = said.published or draft.second_date
        if said.own_id is None:
            said.own_id = item.get(f"{{{_RDF}}}about")
        if not said.link and said.own_id and (draft.guid_is_link or self._kind != "rss") and _is_link(said.own_id):
            said.link = said.own_id
        return said

    def _title(self, element: Element, draft: "_Draft") -> None:
        draft.said.title = draft.said.title or self._line(element)

    def _other_title(self, element: Element, draft: "_Draft") -> None:
        draft.other_title = element if draft.other_title is None else draft.other_title

    def _guid(self, element: Element, draft: "_Draft") -> None:
        draft.said.own_id = _text(element)
        draft.guid_is_link = (element.get("isPermaLink") or "true").strip().lower() == "true"

    def _id(self, element: Element, draft: "_Draft") -> None:
        draft.said.own_id = draft.said.own_id or _text(element)

    def _summary(self, element: Element, draft: "_Draft") -> None:
        draft.said.summary = draft.said.summary or self._text(element)

    def _other_summary(self, element: Element, draft: "_Draft") -> None:
        draft.other_summary = element if draft.other_summary is None else draft.other_summary

    def _content(self, element: Element, draft: "_Draft") -> None:
        if not draft.said.content and element.get("src") is None:
            draft.said.content = self._text(element)
            draft.said.language = element.get(_LANG) or draft.said.language

    def _published(self, element: Element, draft: "_Draft") -> None:
        draft.said.published = draft.said.published or _text(element)

    def _second_date(self, element: Element, draft: "_Draft") -> None:
        draft.second_date = draft.second_date or _text(element)

    def _updated(self, element: Element, draft: "_Draft") -> None:
        draft.said.updated = draft.said.updated or _text(element)

    def _language(self, element: Element, draft: "_Draft") -> None:
        draft.said.language = _text(element) or draft.said.language

    def _by(self, element: Element, draft: "_Draft") -> None:
        draft.said.authors.extend(self._author(element))

    def _by_podcast(self, element: Element, draft: "_Draft") -> None:
        if not draft.said.authors:
            draft.said.authors.extend(self._author(element))

    def _category(self, element: Element, draft: "_Draft") -> None:
        if category := html_text.line(element.get("label") or element.get("term") or _text(element)):
            draft.said.categories.append(category)

    def _keywords(self, element: Element, draft: "_Draft") -> None:
        draft.said.categories.extend(word for part in _text(element).split(",") if (word := html_text.line(part)))

    def _attach(self, element: Element, draft: "_Draft") -> None:
        length = element.get("length") or element.get("fileSize")
        draft.said.attached.append(Attached(element.get("url") or element.get("href"), element.get("type"), length))

    def _group(self, element: Element, draft: "_Draft") -> None:
        for inner in element:
            name = self._names[inner.tag]
            if name in ("media:content", "media:description"):
                _READERS[name](self, inner, draft)

    def _original_link(self, element: Element, draft: "_Draft") -> None:
        draft.original_link = True
        draft.said.link = _text(element) or draft.said.link

    def _link(self, element: Element, draft: "_Draft") -> None:
        said, href = draft.said, element.get("href")
        rel = (element.get("rel") or "alternate").strip().lower()
        if href is not None and rel == "enclosure":
            said.attached.append(Attached(self._absolute(element, href), element.get("type"), element.get("length")))
        elif draft.original_link:
            return
        elif href is None:
            said.link = said.link or self._absolute(element, _text(element))
        elif rel == "alternate" and (not said.link or "html" in (element.get("type") or "")):
            said.link = self._absolute(element, href)

    def _absolute(self, element: Element, link: str) -> str:
        """The link, joined with the xml:base that it stands under, if there is one."""
        if not link or "://" in link[:12]:
            return link
        base = element.base
        return _joined(base, link) if base and base != self._url else link

    def _author(self, element: Element) -> list[str]:
        names = [_text(inner) for inner in element if self._names[inner.tag] in ("name", "foaf:name")]
        if names or len(element):
            return [name for name in names if name]
        return [name] if (name := _text(element)) else []

    def _line(self, element: Element) -> str:
        if len(element):
            return html_text.line(html_text.of_element(element).replace("\n", " "), is_plain=True)
        text = _content(element)
        return html_text.line(text, is_plain=self._is_plain(element) and not html_text.looks_like_html(text))

    def _text(self, element: Element) -> str:
        if len(element):
            return html_text.of_element(element)
        text = _content(element)
        is_plain = self._is_plain(element) and not html_text.looks_like_html(text)
        return html_text.of_plain(text) if is_plain else html_text.of_html(text)

    def _is_plain(self, element: Element) -> bool:
        """Whether Atom calls a text plain; many feeds leave the type out and give HTML all the same."""
        return self._kind == "atom" and (element.get("type") or "text").lower() in ("text", "text/plain")


@dataclass(slots=True)
class _Draft:
    """An entry while it is read: what depends on what else it has is decided at its end."""

    said: Said
    guid_is_link: bool = False
    original_link: bool = False
    second_date: str | None = None
    other_title: Element | None = None
    other_summary: Element | None = None


#: What reads which element of an entry.
_READERS: Final[dict[str, Callable[[_Reader, Element, _Draft], None]]] = {
    name: reader
    for names, reader in (
        ("title", _Reader._title),
        ("dc:title media:title", _Reader._other_title),
        ("link", _Reader._link),
        ("feedburner:origlink", _Reader._original_link),
        ("guid", _Reader._guid),
        ("id", _Reader._id),
        ("description summary", _Reader._summary),
        ("dc:description dcterms:abstract itunes:summary media:description", _Reader._other_summary),
        ("content:encoded content xhtml:body xhtml:div fullitem", _Reader._content),
        ("pubdate published issued dcterms:issued", _Reader._published),
        ("dc:date date created dcterms:created", _Reader._second_date),
        ("updated modified dcterms:modified", _Reader._updated),
        ("author dc:creator dc:author", _Reader._by),
        ("itunes:author", _Reader._by_podcast),
        ("category dc:subject", _Reader._category),
        ("keywords media:keywords itunes:keywords", _Reader._keywords),
        ("enclosure media:content", _Reader._attach),
        ("media:group", _Reader._group),
        ("language dc:language", _Reader._language),
    )
    for name in names.split()
}


def _text(element: Element) -> str:
    text = element.text or "" if not len(element) else "".join(map(str, element.itertext()))
    return text.strip()


def _number(text: str, unit: float) -> float | None:
    return int(text) * unit if text.isascii() and text.isdigit() and len(text) < 10 else None


def _is_link(text: str) -> bool:
    return text.lower().startswith(("http://", "https://", "/")) and not any(character.isspace() for character in text)


def _joined(base: str, link: str) -> str:
    try:
        return urljoin(base, link)
    except ValueError:  # "http://["
        return link


def _content(element: Element) -> str:
    """The text of an element; Atom 0.3 may pack it."""
    text = element.text or ""
    if (element.get("mode") or "").lower() != "base64":
        return text
    try:
        return base64.b64decode(text).decode("utf-8", "replace")
    except ValueError:
        return ""


def _by_feedparser(text: str, url: str) -> SaidByFeed:
    """What feedparser makes of a feed that libxml2 cannot read."""
    try:
        # A stream: what is given as text or bytes feedparser takes for an address or the name of a file first.
        found = feedparser.parse(
            io.BytesIO(b'<?xml version="1.0" encoding="utf-8"?>\n' + text.encode()),
            response_headers={"content-type": "application/xml; charset=utf-8", "content-location": url},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # the errors of its parser for broken XML are of every kind
        raise InvalidRecord(Reason.UNREADABLE, f"The feed cannot be read: {type(error).__name__}.") from error
    version = str(found.get("version") or "")
    kind: Kind = "atom" if version.startswith("atom") else "rdf" if version in ("rss10", "rss090") else "rss"
    said = SaidByFeed(kind=kind, base=url, total=len(found.entries))
    said.title = html_text.line(_string(found.feed, "title"))
    said.language = _string(found.feed, "language")
    if kind != "atom":
        said.base = _joined(url, _string(found.feed, "link"))
    said.ttl_seconds = _number(_string(found.feed, "ttl"), _MINUTE)
    said.entries.extend(_said_to_feedparser(entry) for entry in found.entries[:MAX_ENTRIES])
    if kind != "atom":  # where dc:date is the date of publication
        for one in said.entries:
            if not one.published:
                one.published, one.updated = one.updated, None
    return said


def _said_to_feedparser(entry: Any) -> Said:
    # `dict.get`: its own lookup of "updated" answers with "published", and warns that it does.
    contents = [_markup(content) for content in dict.get(entry, "content") or () if isinstance(content, dict)]
    said = Said(
        own_id=_string(entry, "id") or None,
        link=_string(entry, "feedburner_origlink") or _string(entry, "link") or None,
        title=html_text.line(_string(entry, "title")),
        summary=html_text.of_html(_string(entry, "summary")),
        content=max(contents, key=len, default=None),
        language=_string(entry, "language") or None,
        published=_string(entry, "published") or _string(entry, "created") or None,
        updated=_string(entry, "updated") or None,
    )
    for author in dict.get(entry, "authors") or ():
        said.authors.extend(name for name in (_string(author, "name"),) if name)
    for tag in dict.get(entry, "tags") or ():
        said.categories.append(html_text.line(_string(tag, "label") or _string(tag, "term")))
    for link in dict.get(entry, "links") or ():
        if _string(link, "rel") == "enclosure":
            said.attached.append(Attached(_string(link, "href"), _string(link, "type"), _string(link, "length")))
    for media in dict.get(entry, "media_content") or ():
        said.attached.append(Attached(_string(media, "url"), _string(media, "type"), _string(media, "filesize")))
    return said


def _markup(content: Any) -> str:
    return html_text.of_html(_string(content, "value"))


def _string(found: Any, name: str) -> str:
    value = dict.get(found, name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""

"""What makes an article, a version and a delivery the same one again: pure functions from values to ids.

The rules carry IDENTITY_VERSION. Changing what any function here returns changes ids in every database out there:
tests/pipeline/test_identity.py holds a golden table that fails first.
"""

import hashlib
import re
import secrets
import time
import unicodedata
import uuid
from collections.abc import Iterable
from functools import lru_cache
from typing import NewType
from urllib.parse import parse_qsl, urlencode, urlsplit

from w3lib.url import canonicalize_url, safe_url_string

ArticleId = NewType("ArticleId", uuid.UUID)
VersionId = NewType("VersionId", uuid.UUID)
DeliveryId = NewType("DeliveryId", uuid.UUID)

IDENTITY_VERSION = 1

# One namespace each (RFC 9562 §5.5), made once by uuid4: an article and a version can never collide.
_ARTICLE_BY_URL = uuid.UUID("a7c1f0a2-6d0e-4e0b-9a53-1f5a4f3f7d01")
_ARTICLE_BY_ITEM = uuid.UUID("a7c1f0a2-6d0e-4e0b-9a53-1f5a4f3f7d02")
_ARTICLE_BY_TEXT = uuid.UUID("a7c1f0a2-6d0e-4e0b-9a53-1f5a4f3f7d03")
_VERSION = uuid.UUID("a7c1f0a2-6d0e-4e0b-9a53-1f5a4f3f7d04")
_DEAD_LETTER = uuid.UUID("a7c1f0a2-6d0e-4e0b-9a53-1f5a4f3f7d05")

# Parameters that name a campaign, a click or a share, never a page.
_TRACKING_PREFIXES = ("utm_", "mc_", "pk_", "piwik_", "mtm_", "ga_", "hsa_", "at_", "xtor")
_TRACKING_PARAMETERS = frozenset(
    "fbclid gclid gclsrc dclid wbraid gbraid msclkid yclid twclid ttclid igshid igsh li_fat_id mkt_tok "
    "ref ref_src ref_url referrer cmpid cmp ncid ocid smid smtyp sr_share spm srnd taid via_share "
    "s_cid icid sc_cid trk trkcampaign vero_id wickedid __twitter_impression ito guccounter".split()
)

# After IDNA, lower case. An address with another host (IPv6, escapes) is no identity: its article has its own id.
_HOST = re.compile(r"[a-z0-9_-][a-z0-9._-]*")

# Most addresses: host and path are plain, and nothing follows; what they are without a parser is the same.
_PLAIN_URL = re.compile(
    r"https?://(?:www\.)*+(?P<host>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?P<path>(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*)/*"
)
# A path in which nothing can be escaped in two ways.
_PLAIN_PATH = re.compile(r"(?!.*/\.)[A-Za-z0-9/_.~-]*")

_SURROGATE = re.compile("[\ud800-\udfff\x00]")


def printable(text: str) -> str:
    """Replace what no UTF-8 and no PostgreSQL text can hold (lone surrogates, NUL) by U+FFFD, one for one.

    The length in code points stays, so offsets into the delivered text stay valid.
    """
    if "\x00" not in text:
        try:
            text.encode()  # many times faster than a search for surrogates
        except UnicodeEncodeError:
            pass
        else:
            return text
    return _SURROGATE.sub("\ufffd", text)


def _joined(parts: Iterable[str]) -> str:
    """Length-prefixed parts, so that ("ab", "c") and ("a", "bc") differ."""
    return "".join(f"{len(part)}:{part}" for part in map(printable, parts))


@lru_cache(maxsize=64)  # one delivery asks several times
def canonical_url(url: str) -> str | None:
    """The identity of a web address, or None where the text is not an http(s) address with a host.

    Scheme ignored, host lower case without `www.`, no port, no fragment, no user, tracking parameters dropped, the
    others sorted, path case kept, no trailing slash. Escapes are normalised by w3lib (RFC 3986 §6.2.2). Escaped bytes
    that are no UTF-8 stay what they are: an address in Latin-1 is not that of another article.
    """
    plain = _PLAIN_URL.fullmatch(url)
    return f"{plain['host']}{plain['path']}" if plain is not None else _canonical_url(url)


def _canonical_url(url: str) -> str | None:
    try:
        parts = urlsplit(printable(url).strip())
        host = _host(parts.hostname or "")
        if parts.scheme.lower() not in ("http", "https") or host is None:
            return None
        given = parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape")
        query = [(k, v) for k, v in given if not _is_tracking(k)]
        path = parts.path
        if not _PLAIN_PATH.fullmatch(path):
            path = urlsplit(canonicalize_url(safe_url_string(f"http://{host}{path}"))).path
        path = path.rstrip("/")
    except (ValueError, UnicodeError):
        return None
    return f"{host}{path}{'?' if query else ''}{urlencode(sorted(query), errors='surrogateescape')}"


def _host(name: str) -> str | None:
    """The host in ASCII without `www.` and the root's full stop, both as often as they stand there."""
    host = name.lower() if name.isascii() else name.encode("idna").decode("ascii")
    host = re.sub(r"^(www\.)+(?=.)", "", host.rstrip("."))
    return host if _HOST.fullmatch(host) else None


def _is_tracking(parameter: str) -> bool:
    name = parameter.lower()
    return name in _TRACKING_PARAMETERS or name.startswith(_TRACKING_PREFIXES)


def item_key(source: str, source_item_id: str) -> ArticleId:
    """The article known to `source` under its own id: its id where there is no URL, an alias where there is one."""
    return ArticleId(_uuid5(_ARTICLE_BY_ITEM, _joined((source, source_item_id))))


def article_id(url: str | None, source: str, source_item_id: str | None, title: str, raw: str) -> ArticleId:
    """UUIDv5 of the canonical URL; without one, of (source, own id); without either, of title + raw text."""
    canonical = canonical_url(url) if url else None
    if canonical is not None:
        return ArticleId(_uuid5(_ARTICLE_BY_URL, canonical))
    if source_item_id:
        return item_key(source, source_item_id)
    return ArticleId(_uuid5(_ARTICLE_BY_TEXT, text_digest(title, raw)))


def text_digest(title: str, raw: str) -> str:
    """SHA-256 (hex) of title and raw text as delivered: what `version_id` depends on besides the article."""
    return hashlib.sha256(_joined((title, raw)).encode()).hexdigest()


def version_id(article: ArticleId, digest: str) -> VersionId:
    """UUIDv5 of (article, title, raw text); the texts by their `text_digest`, so that the log alone can redo it."""
    return VersionId(uuid.UUID(bytes=version_id_bytes(article.bytes, digest)))


def version_id_bytes(article: bytes, digest: str) -> bytes:
    """The same from and to 16 bytes, for whoever needs very many."""
    h = article.hex()
    name = f"36:{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}{len(digest)}:{digest}"
    return _uuid5_bytes(_VERSION, name)


def _uuid5(namespace: uuid.UUID, name: str) -> uuid.UUID:
    return uuid.UUID(bytes=_uuid5_bytes(namespace, name))


def _uuid5_bytes(namespace: uuid.UUID, name: str) -> bytes:
    """uuid.uuid5 (RFC 9562 §5.5) without its objects, in half the time."""
    hashed = bytearray(hashlib.sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    hashed[6] = hashed[6] & 0x0F | 0x50
    hashed[8] = hashed[8] & 0x3F | 0x80
    return bytes(hashed)


def dead_letter_id(*coordinates: str) -> uuid.UUID:
    """The id under which doubles of one dead letter fall together: topic id, partition, offset and stage."""
    return _uuid5(_DEAD_LETTER, _joined(coordinates))


def new_delivery_id() -> DeliveryId:
    """A UUIDv7 (RFC 9562 §5.7): milliseconds since the epoch, then 74 random bits. Python's own comes with 3.14."""
    value = (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    return DeliveryId(uuid.UUID(int=value | 0b10 << 62 | secrets.randbits(62)))


_MOST_MARKS = 30
_GRAPHEME_JOINER = "\u034f"
# One character can stand for two combining marks, and a letter before them bring three: so many may be too many.
_MAYBE_TOO_MANY = (_MOST_MARKS + 1 - 3) // 2
# All that is nothing but combining marks once it is decomposed, and some more (a test goes through all of Unicode).
_MARK = r"[^\x00-\u02ff\u2000-\u20cf\u3000-\u3029\uff00-\uff9d\U0001f000-\U0010ffff\w\s]"
_MAYBE_MARK = re.compile(_MARK)
_MAYBE_MARKS = re.compile(f"{_MARK}{{{_MAYBE_TOO_MANY},}}")


def stream_safe(text: str) -> str:
    """The text for `unicodedata.normalize` (NFKC, NFKD), which sorts combining marks in quadratic time.

    A run of more than 30 is broken with U+034F (UAX #15 §13, Stream-Safe Text Format); other texts have the form that
    they had.
    """
    text = text.replace("\uff9e", "\u3099").replace("\uff9f", "\u309a")  # their form; to `re` they are letters
    if not _MAYBE_MARK.search(text[::_MAYBE_TOO_MANY]):  # a run that is too long has one there
        return text
    return _MAYBE_MARKS.sub(_broken, text)


def _broken(run: re.Match[str]) -> str:
    start = run.start()
    marks = _marks_at_end(run.string[start - 1])[0] if start else 0
    parts: list[str] = []
    for character in run[0]:
        more, is_mark = _marks_at_end(character)
        if not is_mark:
            marks = 0
        elif marks + more > _MOST_MARKS:
            parts.append(_GRAPHEME_JOINER)
            marks = 0
        marks += more
        parts.append(character)
    return "".join(parts)


@lru_cache(maxsize=4096)
def _marks_at_end(character: str) -> tuple[int, bool]:
    """How many combining marks stand at the end of a character, decomposed, and whether it is nothing else."""
    decomposed = unicodedata.normalize("NFKD", character)
    marks = next((i for i, c in enumerate(reversed(decomposed)) if not unicodedata.combining(c)), len(decomposed))
    return marks, marks == len(decomposed)


_TYPOGRAPHY = tuple(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", ""),
        "…": "...",
    }.items()
)


def normalised(text: str) -> str:
    """The text without what an editor would not call an edit: case, white space, typography, Unicode forms."""
    if text.isascii():  # has one typographic character and one form, and folds as it lowers
        return " ".join(text.replace("`", "'").lower().split())
    plain = _without_typography(text)
    composed = unicodedata.normalize("NFKC", stream_safe(plain))
    if composed != plain:  # a compatibility form may stand for a quote or a dash
        composed = _without_typography(composed)
    return " ".join(composed.casefold().split())


def _without_typography(text: str) -> str:
    # Thirty searches of the whole text are many times faster than one look-up for each of its characters.
    for character, plain in _TYPOGRAPHY:
        if character in text:
            text = text.replace(character, plain)
    return text


def content_hash(title: str, text: str) -> str:
    """SHA-256 (hex) of cleaned, normalised title + text: equal for two deliveries that say the same."""
    return content_hash_of_normalised(normalised(title), normalised(text))


def content_hash_of_normalised(title: str, text: str) -> str:
    """The same, for whoever has normalised them already."""
    return hashlib.sha256(_joined((title, text)).encode()).hexdigest()

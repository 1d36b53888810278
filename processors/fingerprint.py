"""RawArticle -> cleaned body and Signature: all that a decision needs, computed once, from this delivery alone."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import xxhash

from pipeline import cleaning, identity
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import MAX_OTHERS, MAX_SHINGLES, Body, Coordinates, Hashes, Metadata, RawArticle, Signature

SHINGLE_WORDS: Final = 3
#: Each piece that was cut is kept with its place: so many fit beside the text in one record.
MAX_REMOVED: Final = 10_000

_WORD = re.compile(r"\w+")
_NO_WORD: Final = "".join(c if _WORD.match(c) else " " for c in map(chr, range(128)))
_NUMBER = re.compile(r"\d[\d.,]*\d|\d")
# A word that does not begin with a lower case letter of a Latin alphabet, and what stands before it.
_MAYBE_NAME = re.compile(r"[ (]([^\W\d_a-zß-öø-ÿ]\w+)")
# Odd 64-bit constants (xxHash's primes): each place in a shingle has its own, so the order of words counts.
_PLACES: Final = np.array([0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)
_MIX: Final = np.uint64(0xFF51AFD7ED558CCD)

# The hashes of words met lately: most words of a text stand in the texts before it too.
_MOST_WORDS: Final = 100_000
_LONGEST_WORD: Final = 40
_word_hashes: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Prepared:
    """One delivery, ready to be decided."""

    article: RawArticle
    metadata: Metadata
    body: Body
    signature: Signature


def prepare(article: RawArticle, raw: Coordinates, rules: cleaning.Rules) -> Prepared:
    """Clean and fingerprint one delivery.

    Raises InvalidRecord: `no-text` when cleaning leaves nothing, `too-large` when it cuts too many pieces.
    """
    cleaned = cleaning.clean(article.body, rules)
    if not _WORD.search(cleaned.text):
        what = "nothing but boilerplate" if _WORD.search(article.body) else "not a single word"
        raise InvalidRecord(Reason.NO_TEXT, f"The body holds {what}.")
    if len(cleaned.removed) > MAX_REMOVED:
        raise InvalidRecord(
            Reason.TOO_LARGE, f"Cleaning cut {len(cleaned.removed):,} pieces; more than {MAX_REMOVED:,} are no article."
        )
    title = identity.normalised(cleaning.clean_title(article.title, rules, article.source))
    text = identity.normalised(cleaned.text)
    content = identity.content_hash_of_normalised(title, text)
    metadata = Metadata(
        url=article.url,
        source_item_id=article.source_item_id,
        title=article.title,
        byline=article.byline,
        language=article.language,
        published_at=article.published_at,
        updated_at=article.updated_at,
        notes=article.notes,
        details=article.details,
    )
    body = Body(raw=article.body, text=cleaned.text, removed=cleaned.removed, content_hash=content)
    return Prepared(article, metadata, body, _signature(article, raw, rules, metadata, body, text))


def _signature(
    article: RawArticle, raw: Coordinates, rules: cleaning.Rules, metadata: Metadata, body: Body, text: str
) -> Signature:
    own_id = article.source_item_id
    known_by_url = article.url is not None and identity.canonical_url(article.url) is not None
    words = _words(text)
    all_shingles = _shingles(words)
    return Signature(
        rules_version=rules.version,
        identity_version=identity.IDENTITY_VERSION,
        delivery_id=article.delivery_id,
        observed_at=article.observed_at,
        article_id=identity.article_id(article.url, article.source, own_id, article.title, article.body),
        identified_by="url" if known_by_url else "item" if own_id else "text",
        item_key=identity.item_key(article.source, own_id) if own_id else None,
        text_digest=identity.text_digest(article.title, article.body),
        content_hash=body.content_hash,
        metadata_digest=hashlib.sha256(metadata.model_dump_json(exclude={"notes", "details"}).encode()).hexdigest(),
        source=article.source,
        raw=raw,
        words=len(words),
        wall=bool(article.details and article.details.flags) or rules.is_wall(body.text),
        shingle_count=len(all_shingles),
        shingles=all_shingles[:MAX_SHINGLES],
        lines=_hashes({line.strip().casefold() for line in body.text.splitlines()} - {""}),
        numbers=_hashes(set(_NUMBER.findall(body.text))),
        names=_hashes(_names(body.text)),
    )


def _words(text: str) -> list[str]:
    # For plain text the same words in a third of the time.
    return text.translate(_NO_WORD).split() if text.isascii() else _WORD.findall(text)


def _names(text: str) -> set[str]:
    """Words that are capitalised within a sentence or in brackets: names, mostly, without a model."""
    found: set[str] = set()
    for match in _MAYBE_NAME.finditer(text):
        at, word = match.start(), match[1]
        inside = text[at] == "(" or (at > 0 and (text[at - 1].isalnum() or text[at - 1] in ",;"))
        if inside and word[0].isupper():
            found.add(word.casefold())
    return found


def _hash(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode())


def _word_hash(word: str) -> int:
    if len(_word_hashes) >= _MOST_WORDS:
        _word_hashes.clear()
    hashed = _hash(word)
    if len(word) <= _LONGEST_WORD:
        _word_hashes[word] = hashed
    return hashed


def _hashes(texts: set[str]) -> Hashes:
    return _distinct(np.array([_hash(text) & 0xFFFFFFFF for text in texts], dtype=np.uint32))[:MAX_OTHERS]


def _shingles(words: list[str]) -> Hashes:
    """32-bit hashes of the distinct word 3-shingles, sorted; of a text with fewer words, of all of them together."""
    if not words:
        return np.empty(0, dtype=np.uint32)
    if len(words) < SHINGLE_WORDS:
        return _hashes({" ".join(words)})
    hashes = list(map(_word_hashes.get, words))
    if None in hashes:
        hashes = [hashed or _word_hash(word) for hashed, word in zip(hashes, words, strict=True)]
    one = np.array(hashes, dtype=np.uint64)
    # Array arithmetic on uint64 wraps: that is the hash, on every platform alike.
    mixed = one[:-2] * _PLACES[0] + one[1:-1] * _PLACES[1] + one[2:] * _PLACES[2]
    mixed = (mixed ^ (mixed >> np.uint64(33))) * _MIX
    return _distinct((mixed >> np.uint64(32)).astype(np.uint32))


def _distinct(hashes: Hashes) -> Hashes:
    """Sorted, each once: np.unique takes five times as long for so few."""
    hashes.sort()
    kept = np.ones(len(hashes), dtype=bool)
    np.not_equal(hashes[1:], hashes[:-1], out=kept[1:])
    return hashes[kept]

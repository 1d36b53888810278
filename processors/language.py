"""The language of an article: the source's word, then a detector (py3langid) on title and text.

The word of the source counts, unless the whole text flatly speaks against it: some feeds say "en" of everything. The
detector looks at several places, so that a text in two languages is seen as one; where it is not sure, there is no
language, and the reason is kept with the article.
"""

from collections import Counter
from functools import cache
from typing import Any, Final, NamedTuple

#: The detector looks at so many places of a text, at so many characters each: more costs 1 ms a 1000 characters.
PLACES: Final = 4
PLACE: Final = 120
#: Fewer letters than this name no language: "OK." is a word in twenty of them.
MIN_LETTERS: Final = 20
#: Of places in English news 99 in 100 have at least this probability, of 12 words 91, of 6 words 63; next to none of
#: those is wrong.
SURE: Final = 0.7
#: All places have at least this one for another language: the source is wrong.
FLATLY: Final = 0.9
#: A text is in one language when at least this share of its places is; the rest are quotations.
MAIN_SHARE: Final = 0.75

_NO_LANGUAGE: Final = frozenset({"und", "zxx", "mul", "mis"})
#: Old and three-letter codes that feeds use, and Norwegian, as BCP 47 and spaCy have them.
_CODES: Final = {
    "iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "no": "nb", "cmn": "zh", "arb": "ar",
    "eng": "en", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es", "ita": "it", "por": "pt",
    "nld": "nl", "dut": "nl", "pol": "pl", "rus": "ru", "ukr": "uk", "zho": "zh", "chi": "zh", "jpn": "ja",
    "kor": "ko", "ara": "ar", "heb": "he", "tur": "tr", "swe": "sv", "dan": "da", "nor": "nb", "nob": "nb",
    "nno": "nn", "fin": "fi", "ces": "cs", "cze": "cs", "slk": "sk", "slo": "sk", "slv": "sl", "hrv": "hr",
    "srp": "sr", "ron": "ro", "rum": "ro", "hun": "hu", "bul": "bg", "ell": "el", "gre": "el", "cat": "ca",
    "lit": "lt", "lav": "lv", "est": "et", "vie": "vi", "tha": "th", "ind": "id", "msa": "ms", "may": "ms",
    "hin": "hi", "fas": "fa", "per": "fa",
}  # fmt: skip
#: Languages that the detector takes for each other: none of them speaks against another.
_KIN: Final = tuple(
    map(
        frozenset,
        (
            ("nb", "nn", "da", "sv", "fo"), ("hr", "sr", "bs"), ("id", "ms", "jv"), ("cs", "sk"),
            ("es", "gl", "ca", "an", "ext", "oc"), ("pt", "gl"), ("zh", "yue", "wuu"), ("ar", "ary", "arz"),
            ("nl", "af", "fy"), ("en", "pcm"), ("fr", "wa", "oc", "gcf", "gcr", "ht"), ("it", "vec", "lij"),
            ("de", "lb"), ("ru", "uk", "be", "bg", "mk"), ("hi", "mr", "ne", "sa"), ("xh", "zu", "st", "nso"),
        ),
    )
)  # fmt: skip


class Spoken(NamedTuple):
    """The language, and what is to be said about it: why there is none, or why it is not the source's."""

    language: str | None
    reason: str | None = None


def of(said: str | None, title: str, text: str) -> str | None:
    """The primary language subtag (BCP 47), or None where nobody can tell."""
    return spoken(said, title, text).language


def spoken(said: str | None, title: str, text: str) -> Spoken:
    """The language of an article with the reason, where there is something to say; `said` is the source's word."""
    word = subtag(said)
    places = _places(f"{title}\n{text}".strip())
    if sum(map(str.isalpha, "".join(places))) < MIN_LETTERS:
        return Spoken(word) if word else Spoken(None, "too few letters to tell the language")
    return _unless_flatly_wrong(word, places) if word else _told(places)


def subtag(said: str | None) -> str | None:
    """The language that the source's word names, whatever the text is in; None where it names none."""
    primary = (said or "").replace("_", "-").split("-")[0].strip().lower()
    if not (primary.isascii() and primary.isalpha() and len(primary) in (2, 3)) or primary in _NO_LANGUAGE:
        return None
    return canonical(primary)


def canonical(code: str) -> str:
    """A language's code as all of the pipeline writes it: "eng" is "en", "no" is "nb"."""
    return _CODES.get(code, code)


def _places(sample: str) -> list[str]:
    """All of a short text; of a longer one its beginning, its end and what lies evenly between."""
    count = min(PLACES, len(sample) // PLACE)
    if count < 2:
        return [sample]
    step = (len(sample) - PLACE) / (count - 1)
    return [sample[start : start + PLACE] for start in (int(step * i) for i in range(count))]


def _unless_flatly_wrong(word: str, places: list[str]) -> Spoken:
    if len(places) < 2 or word not in _known():
        return Spoken(word)
    against = set()
    for place in places:
        language, probability = _detected(place)
        if probability < FLATLY or _is_kin(language, word):
            return Spoken(word)  # most often at the first place
        against.add(language)
    if len(against) == 1:
        (language,) = against
        return Spoken(language, f"the source says {word!r}, the text is {language!r}")
    return Spoken(None, f"the source says {word!r}, the text is in several languages: {', '.join(sorted(against))}")


def _told(places: list[str]) -> Spoken:
    found = map(_detected, places)
    sure = Counter(language for language, probability in found if probability >= SURE and language not in _NO_LANGUAGE)
    if not sure:
        return Spoken(None, "the language cannot be told from so little, or such, text")
    language, times = max(sure.items(), key=lambda item: (item[1], item[0]))
    if times >= MAIN_SHARE * sure.total() or all(_is_kin(language, other) for other in sure):
        return Spoken(language)
    return Spoken(None, f"the text is in several languages: {', '.join(sorted(sure))}")


def _is_kin(one: str, other: str) -> bool:
    return one == other or any(one in kin and other in kin for kin in _KIN)


def _detected(text: str) -> tuple[str, float]:
    language, probability = _detector().classify(text.lower() if text.isupper() else text)
    return canonical(language), probability


@cache
def _known() -> frozenset[str]:
    return frozenset(canonical(label) for label in _detector().labels)


@cache
def _detector() -> Any:
    """Loaded at its first use, in a second or two: only the processes of the pool need it."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

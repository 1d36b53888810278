"""The language of an article: the source's word, then a detector (py3langid) on title and text."""

from typing import Final

#: The detector reads this many characters: a second screen of text says nothing new about its language.
MAX_CHARACTERS: Final = 2000
#: Fewer letters than this name no language: "OK." is a word in twenty of them.
MIN_LETTERS: Final = 20


def of(said: str | None, title: str, text: str) -> str | None:
    """The primary language subtag (BCP 47), or None where nobody can tell."""
    if said:
        primary = said.replace("_", "-").split("-")[0].strip().lower()
        if primary.isalpha() and len(primary) in (2, 3) and primary != "und":
            return primary
    sample = f"{title}\n{text}"[:MAX_CHARACTERS]
    if sum(map(str.isalpha, sample)) < MIN_LETTERS:
        return None
    import py3langid  # here: only the processes of the pool need its model

    found: str = py3langid.classify(sample)[0]
    return found

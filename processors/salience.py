"""How much an article is about a name; pure."""

from typing import Final

#: A mention in so many first characters is in the lead: two paragraphs of an agency report.
LEAD_CHARACTERS: Final = 600
#: So much of a title is looked at.
TITLE_CHARACTERS: Final = 500


def of(count: int, most: int, first: int, in_title: bool) -> float:
    """0.4 for the title + 0.2 for the lead + 0.4 x the share of the mentions that the most mentioned name has.

    An article is about what a desk puts in the title, and about what it comes back to all the time; the lead decides
    between the others and fades out over the same length behind it.
    """
    lead = min(1.0, max(0.0, 2 - first / LEAD_CHARACTERS))
    return round(0.4 * in_title + 0.2 * lead + 0.4 * count / max(1, most), 3)


def stands_in(name: str, title: str) -> bool:
    """Whether a title has these very words."""
    at = title.find(name)
    while at >= 0:
        before, behind = title[at - 1 : at] if at else "", title[at + len(name) : at + len(name) + 1]
        if not before.isalnum() and not behind.isalnum():
            return True
        at = title.find(name, at + 1)
    return False

"""The rows of one batch -> of each key the one that stands, purely: what the guards of the statements would leave."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sinks.rows import ArticleRow, SourceRow, Version, WithdrawalRow


def best_versions(versions: Iterable[Version]) -> list[Version]:
    """Of each version the enrichment that stands, sorted by key, so that two sinks do not wait for each other."""
    best: dict[bytes, Version] = {}
    for version in versions:
        key = version.row.delivery_id.bytes
        if key not in best or _rank(version) > _rank(best[key]):
            best[key] = version
    return [best[key] for key in sorted(best)]


def newest_articles(articles: Iterable[ArticleRow]) -> list[ArticleRow]:
    """Of each article the newest delivery, with the earliest time of all, sorted as best_versions sorts."""
    newest: dict[UUID, ArticleRow] = {}
    for article in articles:
        known = newest.setdefault(article.article_id, article)
        first_seen_at = min(known.first_seen_at, article.first_seen_at)
        newest[article.article_id] = (article if _is_newer(article, known) else known)._replace(
            first_seen_at=first_seen_at
        )
    return [newest[key] for key in sorted(newest)]


def last_withdrawals(words: Iterable[WithdrawalRow]) -> list[WithdrawalRow]:
    """Of each article the word that stands, sorted as best_versions sorts."""
    last: dict[UUID, WithdrawalRow] = {}
    for word in words:
        known = last.setdefault(word.article_id, word)
        if _weight(word) > _weight(known):
            last[word.article_id] = word
    return [last[key] for key in sorted(last)]


def last_states(states: Iterable[SourceRow]) -> list[SourceRow]:
    """Of each source what was changed last (of one moment, what comes last), sorted as best_versions sorts."""
    last: dict[str, SourceRow] = {}
    for state in states:
        if state.name not in last or state.changed_at >= last[state.name].changed_at:
            last[state.name] = state
    return [last[name] for name in sorted(last)]


def _is_newer(one: ArticleRow, other: ArticleRow) -> bool:
    """As the guard of upsert_articles.sql."""
    if one.observed_at != other.observed_at:
        return one.observed_at > other.observed_at
    if one.log_id == other.log_id:
        return one.log_offset > other.log_offset
    return (one.decided_at, one.log_id) > (other.decided_at, other.log_id)


def _weight(word: WithdrawalRow) -> tuple[bool, datetime, bool, bytes]:
    """As the guard of withdraw_articles.sql: erased is for good; of two words of one moment the safer one stands."""
    return word.kind == "erased", word.at, word.kind == "withdrawn", word.reason.encode(errors="replace")


def _rank(version: Version) -> tuple[int, float]:
    """As the guard of upsert_versions.sql: the newest generation, of one generation what was made first."""
    row = version.row
    if row.generation is None or row.enriched_at is None:
        return -1, 0.0
    return row.generation, -row.enriched_at.timestamp()

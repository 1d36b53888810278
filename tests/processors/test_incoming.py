from pathlib import Path
from uuid import UUID

import pytest

from pipeline import topics
from pipeline.errors import InvalidRecord, Reason
from pipeline.journal import CrashJournal
from pipeline.records import Coordinates, RawArticle
from processors import incoming
from processors.incoming import Incoming
from tests.pipeline.samples import raw_article

TOPIC_ID = UUID(int=0xA)


def record(offset: int, value: bytes | None = None, partition: int = 0) -> Incoming:
    at = Coordinates(topic_id=TOPIC_ID, partition=partition, offset=offset)
    good = raw_article(title=f"Article {offset}").to_bytes()
    return Incoming(topics.RAW, at, b"key", good if value is None else value, [])


@pytest.fixture
def journal(tmp_path: Path) -> CrashJournal:
    return CrashJournal(tmp_path, "deduplicate", str(TOPIC_ID))


def restarted(folder: Path) -> CrashJournal:
    return CrashJournal(folder, "deduplicate", str(TOPIC_ID))


def decoded(r: Incoming) -> RawArticle:
    return RawArticle.from_bytes(r.value)


def test_a_bad_record_is_a_dead_letter_and_its_neighbours_go_on(journal: CrashJournal) -> None:
    records = [record(1), record(2, b"{bad"), record(3)]

    done, (dead,) = incoming.work("deduplicate", records, journal, decoded)

    assert [(r.at.offset, article.title) for r, article in done] == [(1, "Article 1"), (3, "Article 3")]
    assert (dead.stage, dead.reason, dead.tries) == ("deduplicate", Reason.NOT_JSON, 1)
    assert (dead.topic, dead.coordinates, dead.key, dead.value) == (topics.RAW, records[1].at, b"key", b"{bad")


def test_a_batch_that_ends_well_leaves_no_suspects(journal: CrashJournal, tmp_path: Path) -> None:
    incoming.work("deduplicate", [record(1), record(2, b"{bad")], journal, decoded)

    after = restarted(tmp_path)
    assert list(incoming.parts([record(1), record(2)], after)) == [[record(1), record(2)]]


def test_a_bug_goes_out_and_leaves_its_batch_suspect(journal: CrashJournal, tmp_path: Path) -> None:
    def bug(_: Incoming) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        incoming.work("deduplicate", [record(1), record(2)], journal, bug)

    after = restarted(tmp_path)
    assert [list(part) for part in incoming.parts([record(1), record(2), record(3)], after)] == [
        [record(1)],
        [record(2)],
        [record(3)],
    ]


def test_a_record_that_ends_its_process_three_times_is_set_apart_and_its_neighbours_are_done(tmp_path: Path) -> None:
    batch = [record(1), record(2), record(3)]

    def killer(r: Incoming) -> int:
        if r.at.offset == 2:
            raise ZeroDivisionError
        return r.at.offset

    def start() -> tuple[list[int], list[int]]:
        """A process that takes the batch from where it was acknowledged: the beginning."""
        journal, done, dead = restarted(tmp_path), [], []
        for part in incoming.parts(batch, journal):
            some, letters = incoming.work("deduplicate", part, journal, killer)
            done += [offset for _, offset in some]
            dead += [
                (letter.coordinates.offset, letter.reason, letter.tries) for letter in letters if letter.coordinates
            ]
        return done, dead

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            start()

    assert start() == ([1, 3], [(2, Reason.CRASHED, 4)])


def test_an_invalid_record_says_how_often_it_was_tried(tmp_path: Path) -> None:
    restarted(tmp_path).begin([(0, 1)])

    def invalid(_: Incoming) -> None:
        raise InvalidRecord(Reason.NO_TEXT, "-")

    _, (dead,) = incoming.work("deduplicate", [record(1)], restarted(tmp_path), invalid)

    assert dead.tries == 2


def test_dead_letters_go_to_their_topic_under_their_id(journal: CrashJournal) -> None:
    _, letters = incoming.work("deduplicate", [record(2, b"{bad")], journal, decoded)

    (outgoing,) = incoming.dead_letter_records(letters)

    assert (outgoing.topic, outgoing.key, outgoing.value) == (topics.DEAD_LETTER, str(letters[0].id).encode(), b"{bad")
    assert dict(outgoing.headers)["dl-reason"] == b"not-json"

"""What is said of a process of a pool that somebody else has killed, as a container's memory limit does."""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence

import pytest

from pipeline.errors import Stop
from pipeline.workers import Kind, Lost, Worker

CONTEXT = multiprocessing.get_context("spawn")
WORK_BYTES = 2**30
MEMORY = "set a smaller NEWS_SOME__PROCESSES, or give it more memory (in a container: its memory limit)"


def load(_settings: object) -> None:
    """Nothing to load."""


def load_and_be_killed(_settings: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def be_killed(_loaded: object, _items: Sequence[object]) -> list[object]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def end_by_itself(_loaded: object, _items: Sequence[object]) -> list[object]:
    os._exit(3)


@pytest.fixture
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    made = Worker(Kind("a process", CONTEXT, getattr(request, "param", load), None, WORK_BYTES, "NEWS_SOME__PROCESSES"))
    yield made
    made.close()


def test_one_that_is_killed_at_work_names_the_setting_and_the_memory(worker: Worker) -> None:
    with pytest.raises(Lost) as caught:
        worker.do(be_killed, [1], 30, most_items=10)

    assert str(caught.value).startswith("it was killed (SIGKILL)")
    assert MEMORY in str(caught.value)


@pytest.mark.parametrize("worker", [load_and_be_killed], indirect=True)
def test_one_that_is_killed_again_and_again_while_it_loads_names_them_too(worker: Worker) -> None:
    with pytest.raises(Stop) as caught:
        worker.load()

    assert str(caught.value).startswith("Not even the third time could a process load what it needs: it was killed")
    assert MEMORY in str(caught.value)


def test_one_that_ends_by_itself_is_not_said_to_lack_memory(worker: Worker) -> None:
    with pytest.raises(Lost, match=r"^it died$"):
        worker.do(end_by_itself, [1], 30, most_items=10)

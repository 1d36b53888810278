import pytest

from pipeline import backoff, metrics
from pipeline.errors import InvalidRecord, Reason, SettingError, Stop, Unavailable

STAGE = "a stage of test_backoff"


class Service:
    """A service that is away for the first calls."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.calls = 0

    def call(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "an answer"


def waits() -> float:
    return metrics.retries.labels(stage=STAGE)._value.get()


def test_the_same_work_is_done_again_while_a_service_is_away() -> None:
    service, before = Service(Unavailable("away"), Unavailable("still away")), waits()

    assert backoff.forever(STAGE, service.call) == "an answer"

    assert service.calls == 3
    assert waits() - before == 2


OTHERS = [InvalidRecord(Reason.EMPTY, "-"), Stop("-"), SettingError("-"), ValueError("a bug"), OSError("a bug")]


@pytest.mark.parametrize("error", OTHERS, ids=[type(error).__name__ for error in OTHERS])
def test_no_other_error_is_tried_again(error: Exception) -> None:
    service = Service(error)

    with pytest.raises(type(error)):
        backoff.forever(STAGE, service.call)

    assert service.calls == 1


async def answer_of(service: Service) -> str:
    async for attempt in backoff.attempts(STAGE):
        with attempt:
            return service.call()
    raise AssertionError("the policy has no end")


async def test_a_loop_over_attempts_ends_with_the_first_that_succeeds() -> None:
    service = Service(Unavailable("away"))

    assert await answer_of(service) == "an answer"

    assert service.calls == 2


async def test_a_loop_over_attempts_lets_a_bug_out() -> None:
    service = Service(ValueError("a bug"), Unavailable("never reached"))

    with pytest.raises(ValueError, match="a bug"):
        await answer_of(service)

    assert service.calls == 1

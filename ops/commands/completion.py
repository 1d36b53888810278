"""What the shell completes where the values are a closed set; imported when somebody presses Tab, and no sooner."""

from collections.abc import Iterable


def stages(incomplete: str) -> list[str]:
    """The stages that `news run`, `pause` and `resume` take."""
    from ops.stages import STAGES

    return _beginning(incomplete, STAGES)


def stages_of_letters(incomplete: str) -> list[str]:
    """The stages that write dead letters."""
    return [stage for stage in stages(incomplete) if stage != "web"]


def topics(incomplete: str) -> list[str]:
    """The topics of the pipeline."""
    from pipeline.topics import declared

    return _beginning(incomplete, (topic.name for topic in declared(window_days=1, allowed_lag_days=1)))


def reasons(incomplete: str) -> list[str]:
    """Why a record becomes a dead letter."""
    from pipeline.errors import Reason

    return _beginning(incomplete, Reason)


def _beginning(incomplete: str, values: Iterable[str]) -> list[str]:
    return [str(value) for value in values if value.startswith(incomplete)]

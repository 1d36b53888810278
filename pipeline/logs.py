"""One stream of log lines on stderr: JSON where nobody watches, readable in a terminal. stdout is for data."""

import logging
import logging.config
import sys
from typing import Any

import structlog

#: Fields of every line of this process, whichever of its threads writes it.
_process: dict[str, str] = {}


def _add_process_fields(_: Any, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {**_process, **line}


_TALKATIVE = ("kafka", "aiokafka", "faust", "mode", "asyncio", "alembic", "watchfiles")
_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    _add_process_fields,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def config(level: str, *, terminal: bool | None = None) -> dict[str, Any]:
    """A logging.config dictionary for the whole process, the libraries and Faust included."""
    as_text = sys.stderr.isatty() if terminal is None else terminal
    last: list[structlog.typing.Processor]
    if as_text:
        last = [structlog.dev.ConsoleRenderer()]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": list(_SHARED),
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Normal operation says nothing: these talk about each connection and each poll.
            **{
                name: {"level": "ERROR" if level == "ERROR" else "WARNING"}
                for name in ("kafka", "aiokafka", "faust", "mode", "asyncio", "alembic", "watchfiles")
            },
            "aiokafka.consumer.group_coordinator": {"level": "ERROR"},
            "kafka.net": {"level": "CRITICAL"},  # what it meets is raised to us too, and said once
        },
    }


def set_up(level: str, stage: str) -> None:
    """Send the logs of this process to stderr, each line with its stage."""
    logging.config.dictConfig(config(level))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _process["stage"] = stage


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; fields go as keyword arguments."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger

import json
import subprocess
import sys
from typing import Any

# A process of its own: the logging of a process is set up once, and this one's belongs to pytest.
SAY = """
import logging, threading, warnings
from pipeline import logs
logs.set_up("INFO", "deduplicate")
{code}
"""


def lines_of(code: str) -> list[dict[str, Any]]:
    """What a process that runs this code writes to stderr, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", SAY.format(code=code)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "", "stdout is for data"
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_carries_its_fields_its_stage_and_its_time() -> None:
    (line,) = lines_of("logs.get('processors.x').warning('a record waits', topic='articles.raw', offset=17)")

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "a record waits",
        "level": "warning",
        "logger": "processors.x",
        "stage": "deduplicate",
        "topic": "articles.raw",
        "offset": 17,
    }


def test_a_library_that_logs_with_the_standard_library_writes_such_lines_too() -> None:
    (line,) = lines_of("logging.getLogger('faust.worker').error('agent %s died', 'enrich', extra={'partition': 3})")

    assert (line["event"], line["level"], line["logger"]) == ("agent enrich died", "error", "faust.worker")
    assert (line["partition"], line["stage"]) == (3, "deduplicate")


def test_a_traceback_stays_in_its_line() -> None:
    (line,) = lines_of(
        """
try:
    1 / 0
except ZeroDivisionError as error:
    logs.get("x").critical("a bug", exc_info=error)
"""
    )

    assert line["exception"].splitlines()[0] == "Traceback (most recent call last):"
    assert line["exception"].splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_a_text_of_many_lines_is_one_line() -> None:
    (line,) = lines_of("logs.get('x').info('one\\ntwo', title='caf\\u00e9\\n\\x00')")

    assert (line["event"], line["title"]) == ("one\ntwo", "caf\u00e9\n\x00")


def test_a_thread_of_the_stage_says_its_stage() -> None:
    (line,) = lines_of("threading.Thread(target=lambda: logs.get('watchdog').critical('ends')).start()")

    assert line["stage"] == "deduplicate"


def test_what_goes_well_in_a_library_is_not_told() -> None:
    code = (
        "for name in ('kafka', 'aiokafka.consumer', 'faust.app', 'mode.worker'): logging.getLogger(name).info('well')"
    )

    assert lines_of(code) == []


def test_a_warning_of_python_is_a_line() -> None:
    (line,) = lines_of("warnings.warn('old')")

    assert (line["level"], line["logger"]) == ("warning", "py.warnings")
    assert "UserWarning: old" in line["event"]

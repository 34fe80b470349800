"""One line a thing: an object for machines, or words for people."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.settings import LogFormat

CHECKOUT = Path(__file__).parents[2]
PREPARED = """
import logging.config
from shared.logs import logging_config
from shared.settings import LogFormat
logging.config.dictConfig(logging_config(LogFormat({format!r})))
log = logging.getLogger("reader")
"""


def logged(program: str, log_format: LogFormat = LogFormat.JSON) -> list[str]:
    """The lines that a process writes to its standard error; nothing goes anywhere else."""
    ran = subprocess.run(
        [sys.executable, "-c", PREPARED.format(format=str(log_format)) + program],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout == ""
    return ran.stderr.splitlines()


def objects(program: str) -> list[dict[str, Any]]:
    """The same, each line an object."""
    return [json.loads(line) for line in logged(program)]


def test_each_line_is_an_object_with_what_it_is_about() -> None:
    before, after, warning = objects(
        """
log.info("%s is back", "Redis")
log.info("refresh of /: updated", extra={"fields": {"resource": "/", "requests": 3, "age": 1.5}})
logging.getLogger("refresher").warning("\\u00e9\\nsecond line", extra={"fields": {"x": None}})
"""
    )
    for line in (before, after, warning):
        assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert before == {"event": "Redis is back", "level": "info", "logger": "reader"}
    assert after == {
        "event": "refresh of /: updated",
        "level": "info",
        "logger": "reader",
        "resource": "/",
        "requests": 3,
        "age": 1.5,
    }
    assert warning == {
        "event": "\u00e9\nsecond line",
        "level": "warning",
        "logger": "refresher",
        "x": None,
    }


def test_what_a_line_is_about_does_not_take_the_place_of_what_every_line_has() -> None:
    program = """
fields = {"time": "never", "level": "mad", "logger": "someone", "event": "other", "status": 200}
log.error("the truth", extra={"fields": fields})
"""
    (line,) = objects(program)
    assert datetime.fromisoformat(line.pop("time"))
    assert line == {"event": "the truth", "level": "error", "logger": "reader", "status": 200}


def test_an_exception_is_in_the_same_line() -> None:
    program = """
try:
    {}["missing"]
except KeyError:
    log.exception("unexpected error", extra={"fields": {"resource": "/"}})
"""
    (line,) = objects(program)
    assert line["event"] == "unexpected error"
    assert line["resource"] == "/"
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("KeyError: 'missing'")


def test_what_is_no_json_is_logged_all_the_same() -> None:
    (line,) = objects('log.info("x", extra={"fields": {"odd": {1, 2}, "path": b"/"}})')
    assert (line["odd"], line["path"]) == ("{1, 2}", "b'/'")


def test_everybody_s_warnings_are_logged_and_of_ours_what_is_of_interest() -> None:
    program = """
for name in ("reader.access", "refresher", "gunicorn.error", "rq.worker", "pottery", "urllib3"):
    one = logging.getLogger(name)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.CRITICAL):
        one.log(level, "said")
"""
    seen: dict[str, list[str]] = {}
    for line in objects(program):
        seen.setdefault(line["logger"], []).append(line["level"])
    quiet, usual = ["warning", "critical"], ["info", "warning", "critical"]
    assert seen == {
        "reader.access": usual,
        "refresher": usual,
        "gunicorn.error": usual,
        "rq.worker": quiet,
        "pottery": ["critical"],
        "urllib3": quiet,
    }


def test_a_console_shows_lines_for_people() -> None:
    (line,) = logged(
        'log.info("refresh of /: updated", extra={"fields": {"requests": 3, "event": "other"}})',
        LogFormat.CONSOLE,
    )
    clock, *_ = line.split(" ")
    assert datetime.strptime(clock, "%H:%M:%S")
    assert "info" in line
    assert "refresh of /: updated" in line
    assert "requests=3" in line
    assert "other" not in line
    assert "\x1b" not in line


def test_a_console_shows_an_exception_as_python_does() -> None:
    program = """
try:
    {}["missing"]
except KeyError:
    log.exception("unexpected error")
"""
    first, *more = logged(program, LogFormat.CONSOLE)
    assert "unexpected error" in first
    assert more[0] == "Traceback (most recent call last):"
    assert more[-1] == "KeyError: 'missing'"

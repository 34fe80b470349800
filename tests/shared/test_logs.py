"""One line per event: an object for machines, or text for people."""

import json
import logging
import re
import subprocess
import sys
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from gunicorn.http.errors import InvalidRequestLine
from hypothesis import example, given
from hypothesis import strategies as st

from shared.logs import logging_config
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


def test_fields_do_not_overwrite_the_members_of_every_line() -> None:
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


def test_a_value_that_is_not_json_is_logged_all_the_same() -> None:
    (line,) = objects('log.info("x", extra={"fields": {"odd": {1, 2}, "path": b"/"}})')
    assert (line["odd"], line["path"]) == ("{1, 2}", "b'/'")


def test_warnings_of_libraries_are_logged_and_our_own_information() -> None:
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
    assert more[0] == "    Traceback (most recent call last):"
    assert more[-1] == "    KeyError: 'missing'"


# What somebody sends can neither end a line nor change how it looks.

FORGED = (
    "x\r\n12:00:00 [info     ] all is well\x1b[2K\x1b[31m \x9b31m\u2028\x85\x7f\u202e\u200b\udc80"
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60) | st.just(FORGED)
# The beginning of each line of ours on a console.
_CLOCK = re.compile(r"\d\d:\d\d:\d\d \[")


def written(log_format: LogFormat, record: logging.LogRecord) -> str:
    """A record as the processes' common formatter writes it."""
    formatter = logging_config(log_format)["formatters"]["line"]["()"](log_format=log_format)
    return str(formatter.format(record))


def record_of(
    message: str, fields: dict[str, object] | None = None, error: BaseException | None = None
) -> logging.LogRecord:
    exc_info = (type(error), error, None) if error is not None else None
    made = logging.LogRecord("reader", logging.INFO, __file__, 1, "%s", (message,), exc_info)
    made.fields = fields or {}
    return made


def is_harmless(character: str) -> bool:
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
@example(FORGED, FORGED, FORGED, FORGED)
def test_json_is_one_line_and_one_object_whatever_is_sent(
    event: str, name: str, value: str, message: str
) -> None:
    fields: dict[str, object] = {
        f"f{name}": value,
        "nested": [{value: value}],
        "raw": value.encode("utf-8", "replace"),
    }
    line = written(LogFormat.JSON, record_of(event, fields, ValueError(message)))
    assert line.isascii()
    assert line.isprintable()
    known = json.loads(line)
    assert (known["event"], known[f"f{name}"], known["level"]) == (event, value, "info")


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
@example(FORGED, FORGED, FORGED, FORGED)
def test_a_console_shows_no_control_character_but_our_own_line_ends(
    event: str, name: str, value: str, message: str
) -> None:
    fields: dict[str, object] = {f"f{name}": value, "nested": [{value: value}]}
    first, *more = written(LogFormat.CONSOLE, record_of(event, fields, ValueError(message))).split(
        "\n"
    )
    for line in (first, *more):
        assert all(map(is_harmless, line)), line
    assert _CLOCK.match(first)
    assert all(line.startswith("    ") for line in more)
    assert len(more) == 1 + message.count("\n")


@given(ANY_TEXT)
def test_a_console_line_without_an_error_is_one_line(event: str) -> None:
    assert "\n" not in written(LogFormat.CONSOLE, record_of(event))


def test_a_console_keeps_letters_of_any_script_and_shows_what_it_escapes() -> None:
    line = written(LogFormat.CONSOLE, record_of("Zürich 東京 \x1b[31mred\nnext"))
    assert r"Zürich 東京 \x1b[31mred\nnext" in line


@pytest.mark.parametrize("character", ["\u3164", "\u2800", "\ufe0f", "\u034f", "\U000e0041"])
def test_a_console_shows_what_would_be_invisible(character: str) -> None:
    assert character not in written(LogFormat.CONSOLE, record_of(f"a{character}b"))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_cannot_hold_becomes_text(number: float) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    line = written(LogFormat.JSON, record_of("x", {"age": number, "deep": [{"age": number}]}))
    known = json.loads(line, parse_constant=refuse)
    assert known["age"] == str(number)
    assert known["deep"] == [{"age": str(number)}]


def test_a_field_that_cannot_be_a_member_is_logged_all_the_same() -> None:
    line = written(LogFormat.JSON, record_of("x", {"odd": {(1, 2): "pair"}}))
    assert json.loads(line)["odd"] == {"(1, 2)": "pair"}


@pytest.mark.parametrize("log_format", list(LogFormat))
@pytest.mark.parametrize("name", ["gunicorn.error", "rq.worker", "rq.job", "urllib3"])
def test_gunicorn_and_rq_log_in_the_same_format(name: str, log_format: LogFormat) -> None:
    said = str(InvalidRequestLine("GET /\x1b[31m\r\n12:00:00 [info     ] fine"))
    program = f"""
one = logging.getLogger({name!r})
one.warning("Invalid request from ip=%s: %s", "192.0.2.7", {said!r})
one.error({FORGED.encode("ascii", "backslashreplace").decode()!r} + {FORGED[:-1]!r})
try:
    raise ValueError({FORGED[:-1]!r})
except ValueError:
    one.exception("failed")
"""
    lines = logged(program, log_format)
    assert not any(character in line for line in lines for character in "\x1b\x9b\u202e\x7f")
    assert sum(not line.startswith("    ") for line in lines) == 3

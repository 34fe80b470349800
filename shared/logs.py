"""Logging of every process: one line per event, on standard error.

A line is a JSON object, or text for people on a console. Details of the event stand in `fields`
(`log.info("...", extra={"fields": {...}})`) and become members of the object.

Text from outside cannot break out of its line. JSON is written in ASCII, with control characters
as escapes. On a console the formatter escapes every character that does not print, in the whole
line; only a traceback has further lines, each of them indented, so that none looks like the start
of another entry.
"""

import logging
import math
import re
import traceback
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from shared.settings import LogFormat

# Members of every line, which `fields` must not overwrite.
_RESERVED = frozenset({"time", "level", "logger", "event"})
# Characters that `str.isprintable` counts as printable although they show nothing: Unicode's
# Default_Ignorable_Code_Point among letters and marks, and the blank of Braille.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
_INDENT = "\n    "  # before each line of a traceback on a console


def logging_config(log_format: LogFormat) -> dict[str, Any]:
    """A configuration for `logging.config.dictConfig`, also for gunicorn and RQ."""
    ours = {"handlers": ["console"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": _formatter, "log_format": log_format}},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": "WARNING", "handlers": ["console"]},
        "loggers": {
            "reader": {**ours, "level": "INFO"},
            "refresher": {**ours, "level": "INFO"},
            "gunicorn.error": {**ours, "level": "INFO"},
            "rq.worker": {**ours, "level": "WARNING"},
            "rq.job": {**ours, "level": "WARNING"},
            "rq.cron": {**ours, "level": "WARNING"},
            # It logs a long traceback for each Redis error, which it also raises.
            "pottery": {"level": "CRITICAL"},
        },
    }


def _formatter(log_format: LogFormat) -> logging.Formatter:
    shape: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if log_format is LogFormat.JSON:
        shape += [structlog.processors.format_exc_info, _plain_event]
        shape += [structlog.processors.JSONRenderer()]
    else:
        shape += [_Console()]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            _add_fields,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(
                fmt="%H:%M:%S" if log_format is LogFormat.CONSOLE else "iso",
                utc=log_format is LogFormat.JSON,
                key="timestamp" if log_format is LogFormat.CONSOLE else "time",
            ),
        ],
        processors=shape,
    )


class _Console:
    """Renders an entry for people: a line, followed by the traceback of its error."""

    def __init__(self) -> None:
        self._line = structlog.dev.ConsoleRenderer(colors=False)

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> str:
        exc_info = event.pop("exc_info", None)
        line = escaped(str(self._line(logger, name, event)))
        if not exc_info:
            return line
        lines = "".join(traceback.format_exception(*exc_info)).rstrip("\n").split("\n")
        return _INDENT.join([line, *map(escaped, lines)])


def escaped(text: str) -> str:
    """A text with everything that does not print escaped: line ends, escape sequences, ..."""
    if text.isprintable() and not _INVISIBLE.search(text):
        return text
    return "".join(
        one if one.isprintable() and not _INVISIBLE.match(one) else _escape(one) for one in text
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def _plain_event(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:  # noqa: ARG001
    return {str(key): _plain(value) for key, value in event.items()}


def _plain(value: object) -> object:
    """A value that JSON can represent: member names are text, no NaN and no infinity."""
    match value:
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case float() if not math.isfinite(value):
            return str(value)
    return value


def _add_fields(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:  # noqa: ARG001
    record: logging.LogRecord = event["_record"]
    fields = getattr(record, "fields", {})
    event.update((name, value) for name, value in fields.items() if name not in _RESERVED)
    return event

"""How every process logs: one line a thing, on standard error.

As JSON, an object in each line; on a console, for people. What a line is about stands in `fields`
(`log.info("...", extra={"fields": {...}})`), and becomes members of the object.
"""

import logging
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from shared.settings import LogFormat

# Members of every line; what a line is about must not take their place.
_RESERVED = frozenset({"time", "level", "logger", "event"})


def logging_config(log_format: LogFormat) -> dict[str, Any]:
    """The configuration that `logging.config.dictConfig` takes, as do gunicorn and RQ."""
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
            # It logs a page of traceback for each Redis error that it raises as well.
            "pottery": {"level": "CRITICAL"},
        },
    }


def _formatter(log_format: LogFormat) -> logging.Formatter:
    shape: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if log_format is LogFormat.JSON:
        shape += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        plain = structlog.dev.plain_traceback
        shape += [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
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


def _add_fields(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:  # noqa: ARG001
    record: logging.LogRecord = event["_record"]
    fields = getattr(record, "fields", {})
    event.update((name, value) for name, value in fields.items() if name not in _RESERVED)
    return event

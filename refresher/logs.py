"""How the refreshers' processes log: one line each, on standard error."""

from typing import Any

LOGS: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "refresher": {"handlers": ["console"], "level": "INFO"},
        # It logs a page of traceback for each Redis error that it raises as well.
        "pottery": {"level": "CRITICAL"},
    },
}

"""RQ's configuration: `rq worker --config refresher.rq_config ... refresh`.

Importing it validates the settings, and then loads what jobs need, so that work horses are forked
with everything in place.
"""

from importlib import import_module

from refresher.installation import private_key_of
from shared.errors import SettingsError
from shared.queueing import QUEUE
from shared.settings import load_or_exit, stop

_settings = load_or_exit()
try:
    private_key_of(_settings)
except SettingsError as error:
    stop(error)

REDIS_URL = _settings.redis_location
QUEUES = [QUEUE]
DICT_CONFIG = {
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

# Not at the top: pottery parses REDIS_URL when it is imported, and says nothing helpful.
import_module("refresher.jobs")

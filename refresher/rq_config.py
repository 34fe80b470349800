"""RQ's configuration: `rq worker --config refresher.rq_config ... refresh`.

Importing it validates the settings, and then loads what jobs need, so that work horses are forked
with everything in place.
"""

from importlib import import_module

from refresher.installation import private_key_of
from shared.errors import SettingsError
from shared.logs import logging_config
from shared.queueing import QUEUE
from shared.settings import load_or_exit, stop

_settings = load_or_exit()
try:
    private_key_of(_settings)
except SettingsError as error:
    stop(error)

REDIS_URL = _settings.redis_location
QUEUES = [QUEUE]
DICT_CONFIG = logging_config(_settings.log_format)

# Not at the top: pottery parses REDIS_URL when it is imported, and says nothing helpful.
import_module("refresher.jobs")

"""RQ's configuration: `rq worker --config refresher.rq_config ... refresh`.

Importing this module validates the settings, restricts what jobs may call, and loads all modules
and tables that jobs need. So work horses are forked with everything in memory.
"""

from importlib import import_module

from refresher.github.auth.app_jwt import private_key_of
from shared.errors import SettingsError
from shared.logs import logging_config
from shared.queueing import QUEUE
from shared.redis.connection import sentinel_arguments
from shared.resources.catalogue import catalogue_or_exit
from shared.resources.operations import operations
from shared.resources.operations.shapes import public_shapes
from shared.sentinel_url import is_sentinel_url
from shared.settings import load_or_exit, stop

_settings = load_or_exit()
try:
    private_key_of(_settings)
except SettingsError as error:
    stop(error)
catalogue_or_exit(_settings)

_location = _settings.redis_location
SENTINEL = sentinel_arguments(_location) if is_sentinel_url(_location) else None
REDIS_URL = None if SENTINEL else _location  # without a URL, RQ asks the sentinels
QUEUES = [QUEUE]
DICT_CONFIG = logging_config(_settings.log_format)

# Not imported at the top: wrong settings must be reported before they make anything else fail.
import_module("refresher.jobs")
import_module("refresher.job_allow_list").restrict()
operations()
public_shapes()

"""How gunicorn runs the readers; each setting with its reason."""

import os
import resource
import shutil
import sys
import tempfile
from logging.config import dictConfig
from pathlib import Path
from typing import TYPE_CHECKING

from gunicorn.glogging import Logger

from shared import settings
from shared.logs import logging_config

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.config import Config
    from gunicorn.workers.base import Worker

# Where a platform gives all processes the same environment, readers begin once more without what is
# the refreshers': taken out of `os.environ` alone, it would still stand in /proc and in memory.
if any(name in os.environ for name in settings.REFRESHERS_ONLY):
    for _name in settings.REFRESHERS_ONLY:
        os.environ.pop(_name, None)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 # nosec B606

# A connection is a file, and 1,024 of them, as most systems begin with, are few.
_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))

# Wrong settings stop the server here, in one line, before a worker is forked.
_settings = settings.load_or_exit()

bind = f"0.0.0.0:{_settings.port}"
workers = _settings.web_concurrency
# The front: what is in memory is answered straight from the socket (see reader/front).
worker_class = "reader.front.worker.FrontWorker"
# For the requests that the front hands over: gunicorn-h1c, which "auto" would take where it is
# installed, buffers a head without an end for as long as it comes.
http_parser = "python"
# One that cannot start must not serve.
asgi_lifespan = "on"
# What a proxy says of its client counts only where TRUSTED_PROXIES names it
# (reader/response/client_url.py).
forwarded_allow_ips = ""
secure_scheme_headers = {}
# Between them a client's next request finds its connection open; a balancer's idle timeout is
# often 60 s, and the side that closes first should not be ours.
keepalive = 75
# All that may wait in the kernel while the front is busy with others, as in a reload.
backlog = 2048
# Of each process. Beyond, the oldest of the idle ones is closed; where none is idle, a 503.
worker_connections = 4096
# A head may be as large as the front allows, which is half of gunicorn's own limits.
limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190
# In-flight requests may be waiting for content.
graceful_timeout = int(_settings.miss_wait) + 5
# gunicorn's own remote control: nobody uses it, and two servers of one user would share its file.
control_socket_disable = True
# Readers are told apart from the arbiter in `ps`.
proc_name = "api-read-cache reader"
# Ours (ACCESS_LOG) knows how a request was served, and leaves out what clients put into queries.
accesslog = None


class _Logger(Logger):  # type: ignore[misc]
    """gunicorn's, but in our form; `logconfig_dict` would turn its access log on."""

    def setup(self, cfg: "Config") -> None:
        super().setup(cfg)
        dictConfig(logging_config(_settings.log_format))


logger_class = _Logger


# Where the processes of this gunicorn share what they count (reader/telemetry/process_files.py).
_COUNTS = "API_READ_CACHE_COUNTS"


def on_starting(server: "Arbiter") -> None:  # noqa: ARG001
    """Make the folder for the counts."""
    os.environ[_COUNTS] = tempfile.mkdtemp(prefix="api-read-cache-counts-")


def on_exit(server: "Arbiter") -> None:  # noqa: ARG001
    """Leave nothing behind."""
    shutil.rmtree(Path(os.environ[_COUNTS]), ignore_errors=True)


def post_worker_init(worker: "Worker") -> None:
    """Under a worker class for WSGI: load what is tracked, and ask for what is missing."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["process"].start()


def when_ready(server: "Arbiter") -> None:
    """Say where the readers are."""
    server.log.info("readers listen on port %d", _settings.port)

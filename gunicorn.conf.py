"""How gunicorn runs the readers; each setting with its reason."""

import os
import resource
import sys
import time
from logging.config import dictConfig
from pathlib import Path
from typing import TYPE_CHECKING

from gunicorn.glogging import Logger
from gunicorn.workers import base

from reader import node_folders
from reader.cache import segment_memory
from reader.file_shares import connections_wanted, file_shares
from reader.front.sign_of_life import SignOfLife
from reader.front.spawning import PatientSpawning
from reader.telemetry import process_files
from shared import settings
from shared.logs import logging_config
from shared.resources.catalogue import catalogue_or_exit

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.config import Config
    from gunicorn.workers.base import Worker

# If a platform gives all processes the same environment, readers start once more without the
# refreshers' variables: removed from `os.environ` alone, they would stay in /proc and in memory.
if any(name in os.environ for name in settings.REFRESHERS_ONLY):
    for _name in settings.REFRESHERS_ONLY:
        os.environ.pop(_name, None)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 # nosec B606

# Each connection is an open file, and the usual limit of 1,024 is too low.
_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))

# Wrong settings stop the server here, in one line, before a worker is forked.
_settings = settings.load_or_exit()
catalogue_or_exit(_settings)

bind = f"0.0.0.0:{_settings.port}"
workers = _settings.web_concurrency
# The front: hits are served straight from the socket (see reader/front).
worker_class = "reader.front.worker.FrontWorker"
# For the requests that the front hands over. "auto" would use gunicorn-h1c if it is installed,
# which buffers a head without end as long as bytes arrive.
http_parser = "python"
# A process that cannot start must not serve.
asgi_lifespan = "on"
# `X-Forwarded-*` counts only from the proxies in TRUSTED_PROXIES (reader/response/client_url.py).
forwarded_allow_ips = ""
secure_scheme_headers = {}
# Seconds that an idle connection stays open for the client's next request. A load balancer's idle
# timeout is often 60 s, and the balancer should be the side that closes first.
keepalive = 75
# Connections that may wait in the kernel while the front is busy, as in a reload.
backlog = 2048
# For each process. Beyond it the oldest idle connection is closed; if none is idle, a 503 is sent.
# Followers of the change feed are never idle.
_wanted = connections_wanted(_settings)
worker_connections = file_shares(_most, connections=_wanted).connections
# A head may be as large as the front allows, which is half of gunicorn's own limits.
limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190
# Requests under way may be waiting for content.
graceful_timeout = int(_settings.miss_wait) + 5
# By this each process shows the arbiter that it lives: a full or read-only disk must end none.
base.WorkerTmp = SignOfLife
# gunicorn's own remote control: unused, and two servers of one user would share its file.
control_socket_disable = True
# The name in `ps`.
proc_name = "api-read-cache reader"
# Our own access log (ACCESS_LOG) has the outcome of each request, and omits queries.
accesslog = None


class _Logger(Logger):  # type: ignore[misc]
    """gunicorn's logger in our format; `logconfig_dict` would turn its access log on."""

    def setup(self, cfg: "Config") -> None:
        super().setup(cfg)
        dictConfig(logging_config(_settings.log_format))


logger_class = _Logger


# The variable that names a folder, the beginning of its name, and where to make it if possible.
_FOLDERS = (
    (process_files.FOLDER, process_files.PREFIX, ()),
    (segment_memory.FOLDER, segment_memory.PREFIX, (segment_memory.MEMORY,)),
)


def on_starting(server: "Arbiter") -> None:
    """Make the folders in which the processes of this gunicorn share counts and segments."""
    server.spawn_worker = PatientSpawning(
        server.spawn_worker, stopwatch=time.monotonic, pid=os.getpid
    )
    # An empty name: it could not be made, so each process counts for itself, and has the segments
    # in its own memory. It is told of by the processes.
    for variable, prefix, candidates in _FOLDERS:
        made = node_folders.make_folder(prefix, candidates)
        os.environ[variable] = "" if made is None else str(made.path)


def on_exit(server: "Arbiter") -> None:  # noqa: ARG001
    """Delete the folders."""
    for variable, *_ in _FOLDERS:
        if os.environ.get(variable):
            node_folders.remove_folder(Path(os.environ[variable]))


def post_worker_init(worker: "Worker") -> None:
    """With a worker class for WSGI: start the components, which load the tracked resources."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["process"].start()


def when_ready(server: "Arbiter") -> None:
    """Log where the readers listen."""
    server.log.info("readers listen on port %d", _settings.port)
    if worker_connections < _wanted:
        server.log.warning(
            "only %d files may be open: a process has at most %d connections at the same time, "
            "instead of %d; raise the limit (ulimit -n, LimitNOFILE)",
            *(_most, worker_connections, _wanted),
        )

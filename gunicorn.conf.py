"""How gunicorn runs the readers; each setting with its reason."""

from typing import TYPE_CHECKING

from shared import settings

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

# Wrong settings stop the server here, in one line, before a worker is forked.
_settings = settings.load_or_exit()

bind = f"0.0.0.0:{_settings.port}"
workers = _settings.web_concurrency
worker_class = "gthread"
threads = _settings.reader_threads
# Between them a client's next request finds its connection open; a balancer's idle timeout is
# often 60 s, and the side that closes first should not be ours.
keepalive = 75
# All that may wait in the kernel while the threads are busy.
backlog = 2048
worker_connections = 4096
# In-flight requests may be waiting for content.
graceful_timeout = int(_settings.miss_wait) + 5
# gunicorn's own remote control: nobody uses it, and two servers of one user would share its file.
control_socket_disable = True
# Readers are told apart from the arbiter in `ps`.
proc_name = "api-read-cache reader"
# No access log: at this rate it is the slowest part. See the balancer's.
accesslog = None


def post_worker_init(worker: "Worker") -> None:
    """Load what is tracked, and ask for what is missing, before the first request."""
    worker.wsgi.extensions["node"].start()


def when_ready(server: "Arbiter") -> None:
    """Say where the readers are."""
    server.log.info("readers listen on port %d", _settings.port)

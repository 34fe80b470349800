"""The compared servers: each serves the same bodies, each alone on the server's core."""

import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import nginx, varnish
from bench.cores import Cores, cpu_seconds, on
from bench.errors import BenchError
from bench.workloads import SMALL, Workload, ask, response_to, workloads
from scripts.embedded_redis import free_port
from tests.end_to_end.fleet import Fleet, Reader, Running
from tests.waiting import eventually

OURS = "ours"
OURS_MOUNTED = "ours, /api/v3"  # the same reader; compared with itself alone
FLASK = "flask"
NGINX = "nginx Debian"
NGINX_TUNED = "nginx tuned"
VARNISH = "varnish"
NAMES = (OURS, FLASK, NGINX, NGINX_TUNED, VARNISH)

_PROGRAM_OF = {NGINX: "nginx", NGINX_TUNED: "nginx", VARNISH: "varnishd"}
# The plain Flask application, whatever worker class the readers have.
_FLASK = ("--config", "gunicorn.conf.py", "--worker-class", "gthread", "--threads", "16")
# Nothing may become stale during a measurement, in a reader or in a cache before it.
CACHE_TTL = 24 * 3600  # seconds


@dataclass(frozen=True)
class Server:
    """A server that listens on 127.0.0.1.

    Args:
        name: one of `NAMES`.
        port: where it listens.
        pid: of its first process, the parent of the others.
    """

    name: str
    port: int
    pid: int

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        """CPU seconds used so far."""
        return cpu_seconds(self.pid)


@dataclass(frozen=True)
class Contest:
    """Servers that serve the same responses from memory, and the workloads for them.

    Args:
        servers: ours first.
        workloads: all servers give the same response to each.
    """

    servers: Sequence[Server]
    workloads: Sequence[Workload]

    def named(self, *names: str) -> list[Server]:
        """The servers of these names, as far as they run."""
        return [server for server in self.servers if server.name in names]


@contextmanager
def contest(
    fleet: Fleet, folder: Path, *, programs: Mapping[str, Path], cores: Cores
) -> Iterator[Contest]:
    """Start all available servers, and stop them after the block.

    The caches are filled from a reader of the same fleet, which is stopped before the measurement:
    from then on they respond from their caches.

    Args:
        fleet: with a running refresher; ours is one of its readers.
        folder: for logs, configurations and caches.
        programs: paths of other projects' programs, by name.
        cores: of the servers.

    Raises:
        BenchError: the responses of two servers differ.
    """
    with ExitStack() as stack:
        with on({cores.server}):
            ours, upstream = fleet.healthy_reader(), fleet.healthy_reader()
            servers = [Server(OURS, _port(ours), ours.process.pid), _flask(fleet, folder, stack)]
            for name, program in _PROGRAM_OF.items():
                if program in programs:
                    servers += _cache(name, programs[program], folder, _port(upstream), stack)
                else:
                    skip(name, f"{program} is not installed")
        measured = workloads(ask(_port(ours), SMALL, {}).etag or "")
        for server in servers:
            for workload in measured:
                response_to(workload, server.port)
        upstream.stop()
        _check_same_responses(servers, measured)
        yield Contest(servers, measured)


def skip(what: str, why: str) -> None:
    """Print visibly that something is not measured."""
    print(f"\n*** SKIPPED: {what}: {why} ***\n", file=sys.stderr, flush=True)


def _port(reader: Reader) -> int:
    return int(reader.url.rpartition(":")[2])


def _flask(fleet: Fleet, folder: Path, stack: ExitStack) -> Server:
    port = free_port()
    environment = fleet.environment(PORT=port)
    reader = Reader(["gunicorn", *_FLASK, "reader.wsgi:app"], environment, folder / "flask.log")
    stack.callback(reader.stop)
    reader.url = f"http://127.0.0.1:{port}"
    eventually(reader.is_healthy, what="the Flask application is healthy")
    return Server(FLASK, port, reader.process.pid)


def _cache(name: str, program: Path, folder: Path, upstream: int, stack: ExitStack) -> list[Server]:
    """Another project's cache in front of a reader; none, with a message, if it does not start."""
    port, own = free_port(), folder / name.replace(" ", "-")
    if name == VARNISH:
        command = varnish.command(program, own, port=port, upstream=upstream)
    else:
        tuned = name == NGINX_TUNED
        command = nginx.command(program, own, port=port, upstream=upstream, tuned=tuned)
    running = Running(command, dict(os.environ), folder / f"{own.name}.log")
    stack.callback(running.stop)
    eventually(lambda: _listens(port) or running.process.poll() is not None, what=name)
    if running.process.poll() is not None:
        skip(name, f"it does not start: {running.output.strip()[-500:]}")
        return []
    return [Server(name, port, running.process.pid)]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _check_same_responses(servers: Sequence[Server], measured: Sequence[Workload]) -> None:
    for workload in measured:
        expected = response_to(workload, servers[0].port)
        for server in servers[1:]:
            if response_to(workload, server.port) != expected:
                raise BenchError(f"{server.name}: response to {workload.name} differs from ours")

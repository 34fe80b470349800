"""The servers that are compared: each over the same bodies, each alone on the server's core."""

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
from bench.workloads import SMALL, Workload, answer_to, ask, workloads
from scripts.embedded_redis import free_port
from tests.end_to_end.fleet import Fleet, Reader, Running
from tests.waiting import eventually

OURS = "ours"
FLASK = "flask"
NGINX = "nginx Debian"
NGINX_TUNED = "nginx tuned"
VARNISH = "varnish"
NAMES = (OURS, FLASK, NGINX, NGINX_TUNED, VARNISH)

_PROGRAM_OF = {NGINX: "nginx", NGINX_TUNED: "nginx", VARNISH: "varnishd"}
# The plain Flask application, whatever kind of worker the readers are configured with.
_FLASK = ("--config", "gunicorn.conf.py", "--worker-class", "gthread", "--threads", "16")
# Nothing may become stale while it is measured, neither here nor in a cache before a reader.
CACHE_TTL = 24 * 3600  # seconds


@dataclass(frozen=True)
class Server:
    """A server that listens on 127.0.0.1.

    Args:
        name: one of `NAMES`.
        port: where it listens.
        pid: of the process that started all others of it.
    """

    name: str
    port: int
    pid: int

    @property
    def url(self) -> str:
        """What its paths are put behind."""
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        """The CPU seconds that it has taken so far."""
        return cpu_seconds(self.pid)


@dataclass(frozen=True)
class Contest:
    """Servers that give the same answers from memory, and what they are asked for.

    Args:
        servers: ours first.
        workloads: each is answered alike by all of them.
    """

    servers: Sequence[Server]
    workloads: Sequence[Workload]

    def named(self, *names: str) -> list[Server]:
        """Those of these servers that there are."""
        return [server for server in self.servers if server.name in names]


@contextmanager
def contest(
    fleet: Fleet, folder: Path, *, programs: Mapping[str, Path], cores: Cores
) -> Iterator[Contest]:
    """Start all servers that can be had, and stop them with the block.

    The caches are filled from a reader of the same fleet, which is stopped before anything is
    measured: what they answer from then on they have.

    Args:
        fleet: with a refresher at work; ours becomes one of its readers.
        folder: for logs, configurations and caches.
        programs: where other projects' programs are, by name.
        cores: where the servers run.

    Raises:
        BenchError: two servers answer differently.
    """
    with ExitStack() as stack:
        with on({cores.server}):
            ours, upstream = fleet.healthy_reader(), fleet.healthy_reader()
            servers = [Server(OURS, _port(ours), ours.process.pid), _flask(fleet, folder, stack)]
            for name, program in _PROGRAM_OF.items():
                if program in programs:
                    servers += _cache(name, programs[program], folder, _port(upstream), stack)
                else:
                    skip(name, f"there is no {program} here")
        asked = workloads(ask(_port(ours), SMALL, {}).etag or "")
        for server in servers:
            for workload in asked:
                answer_to(workload, server.port)
        upstream.stop()
        _check_same_answers(servers, asked)
        yield Contest(servers, asked)


def skip(what: str, why: str) -> None:
    """Say, so that nobody misses it, that something is not measured."""
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
    """Another project's cache in front of a reader; none, loudly, when it does not start."""
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


def _check_same_answers(servers: Sequence[Server], asked: Sequence[Workload]) -> None:
    for workload in asked:
        expected = answer_to(workload, servers[0].port)
        for server in servers[1:]:
            if answer_to(workload, server.port) != expected:
                raise BenchError(f"{server.name} answers {workload.name} differently than ours")

"""What is compared: this cache, nginx, Varnish, and the origin itself as the limit."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import floor
from pathlib import Path

import psutil
import requests

from bench.cores import cpu_seconds
from bench.errors import BenchError
from bench.misses import caches
from bench.misses.caches import Upstream
from bench.misses.origin_process import OriginProcess
from bench.servers import skip
from scripts.embedded_redis import free_port
from scripts.run import REFRESHERS
from shared.settings import Settings
from tests.end_to_end.fleet import Fleet, Running
from tests.waiting import eventually

OURS = "ours"
NGINX = "nginx"
VARNISH = "Varnish"
LIMIT = "limit"  # the origin, requested directly
NAMES = (OURS, NGINX, VARNISH, LIMIT)
LIFETIME = 2.0  # seconds that objects stay fresh, in all caches
ADMIN_TOKEN = os.urandom(16).hex()
# What a measurement needs more of than a client of GitHub may have, or one address may use.
RAISED = {"ORIGIN_POINTS_PER_MINUTE": 1_000_000, "CLIENT_MAX_WAITING": 1000}
_STARTING = 120.0  # seconds, until the large list is held
_TRIES = 5  # a process may end while its family is looked through


@dataclass(frozen=True)
class Server:
    """A server that listens on 127.0.0.1.

    Args:
        name: one of `NAMES`.
        port: where it listens.
        wide_port: where it listens with four processes; `port` if it has no such.
        groups: its processes' ids by kind, without those of their descendants.
        most_clients: how many clients it can have; more than that wait in the load.
    """

    name: str
    port: int
    wide_port: int
    groups: Mapping[str, Sequence[int]]
    most_clients: int | None = None

    def cpu(self) -> dict[str, float]:
        """CPU seconds used so far, by kind of process."""
        return {kind: sum(map(_cpu_seconds, pids)) for kind, pids in self.groups.items()}


@dataclass(frozen=True)
class Compared:
    """The servers before one origin.

    Args:
        servers: ours first.
        origin: behind all of them.
        processes: what ours consists of: number of processes by kind.
    """

    servers: Sequence[Server]
    origin: OriginProcess
    processes: Mapping[str, int]

    def refresh_list(self, name: str) -> None:
        """Let an item of the large list change, and ask for its refresh as an operator does."""
        self.origin.change()
        requests.post(
            f"http://127.0.0.1:{self.servers[0].port}/status/refresh",
            data={"resource": name},
            headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
            timeout=10,
        ).raise_for_status()


def connections_of_the_limit() -> int:
    """How many requests at once the settings leave for on-demand content."""
    return floor((1 - default("budget_reserve")) * default("origin_concurrency"))


def default(setting: str) -> float:
    """A setting's default."""
    found = Settings.model_fields[setting].get_default(call_default_factory=True)
    assert isinstance(found, int | float)
    return found


@contextmanager
def compared(
    folder: Path, programs: Mapping[str, Path], *, repositories: int, secure: bool
) -> Iterator[Compared]:
    """Start the origin and all available servers; stop them after the block.

    Args:
        folder: for logs, configurations and caches; it is created.
        programs: paths of nginx and Varnish, by program.
        repositories: of the large list.
        secure: whether the servers speak TLS with the origin.
    """
    folder.mkdir()
    with ExitStack() as stack:
        origin = stack.enter_context(OriginProcess(folder / "origin", repositories=repositories))
        ours, processes = _ours(folder, origin, stack, secure=secure)
        servers = [ours]
        for name, program in ((NGINX, "nginx"), (VARNISH, "varnishd")):
            if name == VARNISH and secure:
                continue  # its open source edition has no TLS to backends
            if program in programs:
                servers.append(
                    _cache(name, programs[program], folder, origin, stack, secure=secure)
                )
            else:
                skip(name, f"{program} is not installed")
        limit = connections_of_the_limit()
        groups = {"origin": [origin.pid]}
        servers.append(Server(LIMIT, origin.port, origin.port, groups, most_clients=limit))
        yield Compared(servers, origin, processes)


def _ours(
    folder: Path, origin: OriginProcess, stack: ExitStack, *, secure: bool
) -> tuple[Server, dict[str, int]]:
    """The processes of `make run`, and one more reader with four reader processes."""
    authority = origin.authority.file
    kept = ("miss_wait", "backoff_max", "lock_ttl", "web_concurrency")
    fleet = stack.enter_context(
        Fleet(
            folder / "fleet",
            origin.secure_url if secure else origin.url,
            **{name.upper(): default(name) for name in kept},
            **RAISED,
            CACHE_TTL=24 * 3600,
            ON_DEMAND_TTL=LIFETIME,
            ADMIN_TOKEN=ADMIN_TOKEN,
            REQUESTS_CA_BUNDLE=authority,
            SSL_CERT_FILE=authority,
        )
    )
    refreshers = [fleet.worker() for _ in range(REFRESHERS)]
    scheduler = fleet.scheduler()
    readers = [fleet.reader(), fleet.reader(WEB_CONCURRENCY=4)]
    for reader in readers:
        eventually(reader.is_healthy, within=_STARTING, what="the tracked content is held")
    port, wide_port = (int(reader.url.rpartition(":")[2]) for reader in readers)
    groups = {
        "reader": [readers[0].process.pid],
        "reader of 4": [readers[1].process.pid],
        "refresher": [refresher.process.pid for refresher in refreshers],
        "scheduler": [scheduler.process.pid],
        "Redis": [fleet.redis_server.pid],
        "origin": [origin.pid],
    }
    processes = {
        "reader": int(default("web_concurrency")), "refresher": REFRESHERS, "scheduler": 1,
    }  # fmt: skip
    return Server(OURS, port, wide_port, groups), processes


def _cache(
    name: str,
    program: Path,
    folder: Path,
    origin: OriginProcess,
    stack: ExitStack,
    *,
    secure: bool,
) -> Server:
    port, own = free_port(), folder / name.lower()
    upstream = Upstream(
        origin.secure_port if secure else origin.port, origin.authority.file, secure, LIFETIME
    )
    write = caches.nginx if name == NGINX else caches.varnish
    command = write(program, own, port=port, upstream=upstream)
    running = Running(command, dict(os.environ), folder / f"{own.name}.log")
    stack.callback(running.stop)
    eventually(lambda: _listens(port) or running.process.poll() is not None, what=name)
    if running.process.poll() is not None:
        raise BenchError(f"{name} does not start: {running.output.strip()[-500:]}")
    groups = {name: [running.process.pid], "origin": [origin.pid]}
    return Server(name, port, port, groups)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _cpu_seconds(pid: int) -> float:
    for _ in range(_TRIES - 1):
        try:
            return cpu_seconds(pid)
        except psutil.NoSuchProcess:
            continue
    return cpu_seconds(pid)

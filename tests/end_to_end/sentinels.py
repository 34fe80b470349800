"""A master, two replicas and three sentinels, all real processes on this machine."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from redis import Redis, RedisError
from redis.sentinel import MasterNotFoundError

from scripts.embedded_redis import EmbeddedRedis, free_port, server_binary
from shared.redis.sentinels import AllSentinels
from tests.waiting import eventually

MASTER = "cache"
DOWN_AFTER = 1000  # milliseconds until a sentinel takes a master that does not answer for down
_QUORUM = 2
# A replica copies the master's data at once, over the socket.
_AT_ONCE = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")


class Replicated:
    """A replicated Redis with sentinels, which outlives its master; `url` names the sentinels.

    Args:
        folder: for data, configuration and logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._master = EmbeddedRedis(folder / "0", port=free_port(), arguments=_AT_ONCE)
        follows = (*_AT_ONCE, "--replicaof", "127.0.0.1", str(self._master.port))
        replicas = [
            EmbeddedRedis(folder / str(n), port=free_port(), arguments=follows) for n in (1, 2)
        ]
        self.servers = [self._master, *replicas]
        self._ports = [free_port() for _ in range(3)]
        self._sentinels: list[subprocess.Popen[bytes]] = []
        self._asked = AllSentinels(  # type: ignore[no-untyped-call]
            [("127.0.0.1", port) for port in self._ports], sentinel_kwargs={"socket_timeout": 1}
        )

    @property
    def url(self) -> str:
        """The value of `REDIS_URL` for processes."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        return f"redis+sentinel://{hosts}/{MASTER}/0"

    def start(self) -> None:
        """Start all servers, and wait until the sentinels know each other and both replicas."""
        for server in self.servers:
            server.start()
        for port in self._ports:
            self._sentinels.append(self._sentinel(port))
        eventually(self._is_watched, what="the sentinels know the master and its replicas")

    def stop(self) -> None:
        """End all servers and sentinels, also those that are stopped by SIGSTOP."""
        for sentinel in self._sentinels:
            sentinel.kill()
            sentinel.wait()
        for server in self.servers:
            with suppress(AssertionError, ProcessLookupError):  # it was stopped before
                os.kill(server.pid, signal.SIGKILL)
            server.stop()
        self._asked.close()

    def master_port(self) -> int:
        """The port of the master according to the sentinels; 0 while they know none."""
        try:
            return self._asked.discover_master(MASTER)[1]
        except MasterNotFoundError:
            return 0

    def master(self) -> EmbeddedRedis:
        """The server that is the master now."""
        port = eventually(self.master_port, what="there is a master")
        return next(server for server in self.servers if server.port == port)

    def has_failed_over(self, deposed: EmbeddedRedis) -> bool:
        """Whether another server is the master."""
        return self.master_port() not in {0, deposed.port}

    @staticmethod
    def is_replica(server: EmbeddedRedis) -> bool:
        """Whether a server is a replica whose link to its master is up."""
        try:
            with Redis.from_url(server.url, socket_timeout=1) as client:
                info = cast(dict[str, Any], client.info("replication"))
        except RedisError:
            return False
        return (info["role"], info.get("master_link_status")) == ("slave", "up")

    def _sentinel(self, port: int) -> subprocess.Popen[bytes]:
        folder = self._folder / f"sentinel-{port}"
        folder.mkdir()
        configuration = folder / "sentinel.conf"
        configuration.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\nlogfile {folder / 'log'}\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {self._master.port} {_QUORUM}\n"
            f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER}\n"
            f"sentinel failover-timeout {MASTER} 5000\n"
            f"sentinel parallel-syncs {MASTER} 2\n"
        )
        return subprocess.Popen(
            [server_binary(), str(configuration), "--sentinel"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _is_watched(self) -> bool:
        if not all(self.is_replica(server) for server in self.servers[1:]):
            return False
        for sentinel in self._asked.sentinels:
            try:
                seen = cast(dict[str, Any], sentinel.sentinel_masters())[MASTER]
            except (RedisError, KeyError):
                return False
            if (seen["num-slaves"], seen["num-other-sentinels"]) != (2, 2):
                return False
        return True

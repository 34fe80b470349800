"""Compose's fleet, from the built image: what compose.yaml names for each service, but networks.

All containers have this machine's network: so ports differ, and HAProxy has its readers by address
instead of by Docker's name server. Redis and HAProxy are Debian's instead of their official images.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from scripts.embedded_redis import free_port
from tests.fakegithub.client import FakeGitHubProcess
from tests.image.compose_service import Service
from tests.image.containers import Container
from tests.image.images import Image, Store
from tests.shipping.compose import SERVICES
from tests.shipping.environment import HAPROXY
from tests.waiting import eventually

PASSWORD = "not-to-be-guessed"


class ComposeFleet:
    """The containers of Compose, which run until the block ends."""

    def __init__(self, folder: Path, given: dict[str, str], images: dict[str, Image]) -> None:
        self._folder, self._images = folder, images
        self._stack = ExitStack()
        data = folder / "redis"
        data.mkdir()
        self.services = {name: Service(name, given, {"redis": data}) for name in SERVICES}
        self.running: dict[str, list[Container]] = {name: [] for name in SERVICES}
        self._redis_port, self.port = free_port(), free_port()
        os.chown(data, 999, 999)

    def __enter__(self) -> "ComposeFleet":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def up(self) -> None:
        """Start all services in the order of their dependencies; wait until they are healthy."""
        programs = ("redis-server", "redis-cli")
        self._start("redis", {f"/usr/local/bin/{name}": self._wrapper(name) for name in programs})
        url = f"redis://127.0.0.1:{self._redis_port}/0"
        for name in ("refresher", "scheduler"):
            for _ in range(self.services[name].replicas):
                self._start(name, {}, REDIS_URL=url)
        ports = [free_port() for _ in range(self.services["reader"].replicas)]
        for port in ports:
            self._start("reader", {}, REDIS_URL=url, PORT=str(port))
        place = "/usr/local/etc/haproxy/haproxy.cfg"
        self._start("haproxy", {place: self._haproxy_configuration(ports)})

    def down(self) -> dict[str, list[int]]:
        """Stop all services as Compose does, within their grace; give the exit statuses."""
        statuses: dict[str, list[int]] = {}
        for name in reversed(SERVICES):
            grace = self.services[name].stop_grace_period
            statuses[name] = [one.end(within=grace) for one in self.running[name]]
        return statuses

    def get(self, path: str) -> requests.Response:
        """A client's request to HAProxy."""
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=30)

    def is_served(self) -> bool:
        """Whether HAProxy listens, and has a reader that can serve all that is tracked."""
        try:
            return self.get("/healthcheck").status_code == 200
        except requests.ConnectionError:
            return False

    def sizes(self) -> tuple[int, int]:
        """The numbers of readers and of refreshers that the status page shows."""
        status = self.get("/status.json").json()
        return len(status["readers"]), len(status["workers"])

    def _start(self, name: str, mounts: dict[str, Path], **environment: str) -> None:
        service = self.services[name]
        image = self._images.get(name, self._images["ours"])
        made = service.container(image, self._folder, mounts, **environment)
        self.running[name].append(self._stack.enter_context(made))
        if service.is_checked and (service.health_check or "Healthcheck" in image.config):
            check = service.health_check
            eventually(lambda: made.is_healthy(check), every=0.2, what=f"{name} is healthy")

    def _wrapper(self, program: str) -> Path:
        """A program of Redis that uses the port of this test."""
        option = f"-p {self._redis_port} " if program == "redis-cli" else ""
        port = "" if option else f" --port {self._redis_port} --bind 127.0.0.1"
        file = self._folder / program
        file.write_text(f'#!/bin/sh\nexec /usr/bin/{program} {option}"$@"{port}\n')
        file.chmod(0o755)
        return file

    def _haproxy_configuration(self, ports: Sequence[int]) -> Path:
        servers = "\n".join(f"    server reader-{one} 127.0.0.1:{one}" for one in ports)
        text = re.sub(r" +server-template .*", servers, HAPROXY.read_text())
        file = self._folder / "haproxy.cfg"
        file.write_text(text.replace("bind :8080", f"bind 127.0.0.1:{self.port}"))
        return file


@pytest.fixture
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(repos=30, members=10, anonymous_limit=1_000_000) as server:
        yield server


@pytest.fixture
def fleet(
    store: Store, image: Image, github: FakeGitHubProcess, tmp_path: Path
) -> Iterator[ComposeFleet]:
    given = {
        "CACHE_PASSWORD": PASSWORD,
        "GITHUB_API_URL": github.url,
        "ORGS": "Netflix",
        "FRONT_NETWORK": "127.0.0.1/32",
    }
    store.install("stand-in-for-others", "stand-in-for-python", "redis-server", "haproxy")
    others = store.image("stand-in-for-others")
    configuration = "/usr/local/etc/haproxy/haproxy.cfg"
    commands: dict[str, dict[str, Any]] = {
        "redis": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "WorkingDir": "/data"},
        "haproxy": {"Env": [], "Cmd": ["/usr/sbin/haproxy", "-W", "-db", "-f", configuration]},
    }
    images = {name: Image(others.root, config) for name, config in commands.items()}
    with ComposeFleet(tmp_path, given, {**images, "ours": image}) as made:
        yield made


def test_the_fleet_of_compose_serves_and_ends_within_its_grace(
    fleet: ComposeFleet, github: FakeGitHubProcess
) -> None:
    fleet.up()
    eventually(fleet.is_served, what="HAProxy has a reader")
    names = [repo["full_name"] for repo in fleet.get("/orgs/Netflix/repos").json()]
    assert sorted(names) == sorted(repo["full_name"] for repo in github.repos())
    assert fleet.get(f"/repos/{names[0]}").json()["full_name"] == names[0]
    eventually(lambda: fleet.sizes() == (2, 2), what="two readers and two refreshers are seen")
    (redis,) = fleet.running["redis"]
    assert "noeviction" in redis.run(
        "sh", "-c", 'REDISCLI_AUTH="$CACHE_PASSWORD" redis-cli config get maxmemory-policy'
    )
    refused = redis.run("sh", "-c", "redis-cli ping 2>&1 || true")
    assert "NOAUTH" in refused
    for kind in ("reader", "refresher", "scheduler"):
        for container in fleet.running[kind]:
            assert PASSWORD not in container.output
    size = fleet.running["reader"][0].run("df", "--output=size", "--block-size=M", "/dev/shm")
    assert size.split() == ["1M-blocks", "512M"]
    assert fleet.down() == {
        "haproxy": [0],
        "scheduler": [0],
        "refresher": [0, 0],
        "reader": [0, 0],
        "redis": [0],
    }

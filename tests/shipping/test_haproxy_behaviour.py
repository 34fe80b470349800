"""HAProxy, configured as in `deploy/`, does what its configuration means."""

import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests

from scripts.embedded_redis import free_port
from tests.end_to_end.fleet import Fleet
from tests.end_to_end.load import Load
from tests.fakegithub.client import FakeGitHubProcess
from tests.shipping.environment import GRACE, HAPROXY, program
from tests.shipping.stand_in import HANG_UP, a_server
from tests.waiting import eventually


@contextmanager
def haproxy_before(ports: Sequence[int], folder: Path, *, seen: str = "/view") -> Iterator[str]:
    """HAProxy as it is configured, but before these servers; gives its URL once one is served."""
    haproxy = program("haproxy", "BEHAVIOUR OF HAPROXY")
    port = free_port()
    servers = "\n".join(f"    server reader-{one} 127.0.0.1:{one}" for one in ports)
    text = re.sub(r" +server-template .*", servers, HAPROXY.read_text())
    (folder / "haproxy.cfg").write_text(text.replace("bind :8080", f"bind 127.0.0.1:{port}"))
    with subprocess.Popen(
        [haproxy, "-f", folder / "haproxy.cfg"], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            eventually(lambda: is_served(url + seen), what="HAProxy has found a reader")
            yield url
            process.send_signal(signal.SIGUSR1)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()


def is_served(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def test_haproxy_says_who_the_client_is_whatever_the_client_says(tmp_path: Path) -> None:
    theirs = {
        "X-Request-Id": "theirs",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "gopher",
        "Host": "cache.example",
    }
    with a_server(healthcheck=200, view=200) as port, haproxy_before([port], tmp_path) as url:
        answer = requests.get(url + "/view", headers=theirs, timeout=5)
        seen = answer.json()
        assert seen["X-Forwarded-Host"] == "cache.example"
        assert seen["X-Forwarded-Proto"] == "http"
        assert seen["X-Forwarded-For"] == "127.0.0.1"
        assert re.fullmatch(r"[0-9a-f-]{36}", seen["X-Request-Id"])
        assert answer.headers["X-Request-Id"] == seen["X-Request-Id"]


def test_haproxy_sends_clients_only_to_readers_that_can_serve(tmp_path: Path) -> None:
    with (
        a_server(healthcheck=503, view=503) as unable,
        a_server(healthcheck=200, view=200) as able,
        haproxy_before([unable, free_port(), able], tmp_path) as url,
    ):
        # Until it has looked at all of them it takes each for able.
        eventually(
            lambda: {requests.get(url + "/view", timeout=5).status_code for _ in range(9)} == {200},
            what="only the one that can serve is asked",
        )


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6Detrics", "/metrics?x", "/metrics/"])
def test_haproxy_keeps_metrics_from_clients(path: str, tmp_path: Path) -> None:
    with (
        a_server(healthcheck=200, view=200, metrics=200) as port,
        haproxy_before([port], tmp_path) as url,
    ):
        asked = requests.Request("GET", url).prepare()
        asked.url = url + path  # as it is
        with requests.Session() as session:
            assert session.send(asked, timeout=5).status_code == 404


def test_haproxy_sends_no_post_twice(tmp_path: Path) -> None:
    asked: list[str] = []
    with (
        a_server(asked, healthcheck=200, view=200, gone=HANG_UP) as port,
        haproxy_before([port], tmp_path) as url,
    ):
        assert requests.post(url + "/gone", timeout=10).status_code == 502
        assert asked == ["POST"]
        assert requests.get(url + "/gone", timeout=10).status_code == 502
        assert asked == ["POST", *["GET"] * 4], "and each GET no more than three times again"


def test_a_reader_that_ends_behind_haproxy_fails_no_request(tmp_path: Path) -> None:
    program("haproxy", "REPLACEMENT OF READERS BEHIND HAPROXY")
    with (
        FakeGitHubProcess(anonymous_limit=1_000_000) as github,
        Fleet(tmp_path, github.url) as fleet,
    ):
        fleet.worker()
        readers = [fleet.healthy_reader(), fleet.healthy_reader()]
        ports = [int(reader.url.rpartition(":")[2]) for reader in readers]
        with haproxy_before(ports, tmp_path, seen="/orgs/Netflix") as url:
            bodies = {
                path: requests.get(url + path, headers={"Accept-Encoding": ""}, timeout=5).content
                for path in ("/orgs/Netflix", "/view/top/5/stars")
            }
            with Load(url, bodies, clients=8) as load:
                eventually(partial(load.has_answered, 200))
                readers[0].signal(signal.SIGTERM)
                assert readers[0].process.wait(timeout=GRACE) == 0
                eventually(partial(load.has_answered, load.outcome.answered + 200))
        assert load.outcome.failures == []

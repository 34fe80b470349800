"""Every process speaks TLS with Redis, and with none whose certificate nobody vouches for."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.sentinel import MasterNotFoundError

from scripts.embedded_redis import free_port
from shared.redis.connection import connect
from shared.settings import load
from tests.end_to_end.fleet import Fleet
from tests.end_to_end.tls import Authority, TlsRedis, has_tls_redis, tls_binary
from tests.end_to_end.up_to_date import await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(
    not has_tls_redis(), reason="no Redis with TLS: Debian's redis-tools is not installed"
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "certificates", "right")


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess, authority: Authority) -> Iterator[Fleet]:
    server = TlsRedis(tmp_path / "redis", authority)
    with Fleet(tmp_path, github.url, server, CACHE_TTL=2, REDIS_CA_FILE=authority.file) as made:
        yield made


def test_workers_readers_scheduler_and_command_line_speak_it(
    fleet: Fleet, github: FakeGitHubProcess
) -> None:
    worker, scheduler = fleet.worker(), fleet.scheduler()
    reader = fleet.healthy_reader()
    github.mutate("star", repo=7, by=1000)
    await_up_to_date(github, reader)
    assert fleet.cache("doctor").returncode == 0
    info = fleet.run("rq", "info", "--config", "refresher.rq_config", "--raw")
    assert "queue refresh" in info.stdout
    assert [one.process.poll() for one in (worker, scheduler)] == [None, None]


def test_a_wrong_certificate_is_refused_with_one_clear_line(fleet: Fleet, tmp_path: Path) -> None:
    wrong = {"REDIS_CA_FILE": Authority(tmp_path / "certificates", "wrong").file}
    refused = "Redis's certificate is rejected: "
    listed = fleet.cache("list", **wrong)
    assert listed.returncode == 1
    assert listed.stderr.startswith(f"Error: Redis does not respond ({refused}")
    assert listed.stderr.count("\n") == 1
    assert refused in fleet.cache("doctor", **wrong).stdout
    worker = fleet.worker(**wrong)
    assert worker.process.wait(60) == 1
    assert worker.output.count("\n") == 1
    assert "CERTIFICATE_VERIFY_FAILED" in worker.output
    reader = fleet.reader(**wrong)
    eventually(lambda: refused in reader.output, what="the reader says so")


def test_sentinels_are_asked_by_tls_as_well(tmp_path: Path, authority: Authority) -> None:
    port, sentinel_port = free_port(), free_port()
    server = TlsRedis(tmp_path / "redis", authority)
    server.start()
    configuration = tmp_path / "sentinel.conf"
    options = "\n".join(
        f"{name[2:]} {value}"
        for name, value in zip(authority.arguments[::2], authority.arguments[1::2], strict=True)
    )
    configuration.write_text(
        f"port {port}\ntls-port {sentinel_port}\ntls-replication yes\n{options}\ndir {tmp_path}\n"
        f"requirepass of-the-sentinels\nsentinel monitor cache 127.0.0.1 {server.port} 1\n"
    )
    sentinel = subprocess.Popen(
        [tls_binary(tmp_path / "program"), str(configuration), "--sentinel"],
        stdout=subprocess.DEVNULL,
    )
    url = f"rediss+sentinel://127.0.0.1:{sentinel_port}/cache/3?sentinel_password=of-the-sentinels"
    try:
        with connect(load(redis_url=url, redis_ca_file=str(authority.file))) as one:
            eventually(lambda: _answers(one.ping), what="the master is found")
            assert one.client_info()["db"] == 3
    finally:
        sentinel.kill()
        sentinel.wait()
        server.stop()


def _answers(ping: object) -> bool:
    assert callable(ping)
    try:
        return bool(ping())
    except MasterNotFoundError:
        return False

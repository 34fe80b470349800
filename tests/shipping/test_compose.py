"""Compose runs a whole fleet, in which each container can do and see no more than it has to."""

import os
import re
import shlex
import subprocess
from ipaddress import ip_network
from pathlib import Path

import pytest
from redis import AuthenticationError, Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from scripts.embedded_redis import free_port, server_binary
from shared.settings import REFRESHERS_ONLY, Settings, load
from tests.end_to_end.fleet import procfile
from tests.shipping.compose import SERVICES, compose, service
from tests.shipping.dockerfile import only
from tests.shipping.environment import DEADLINE, GRACE, HAPROXY, KINDS, SECRETS, seconds
from tests.waiting import eventually

AT_ONCE = Retry(NoBackoff(), 0)  # or not at all


def test_compose_has_a_whole_fleet() -> None:
    assert list(compose()["services"]) == SERVICES
    replicas = {name: service(name).get("deploy", {}).get("replicas", 1) for name in KINDS}
    assert replicas == {"reader": 2, "refresher": 2, "scheduler": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_compose_runs_what_the_procfile_runs(kind: str) -> None:
    assert shlex.split(service(kind)["command"]) == procfile()[kind]
    assert service(kind)["image"] == "api-read-cache"


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_of_compose_can_do_no_more_than_it_has_to(name: str) -> None:
    container = service(name)
    assert not {"privileged", "cap_add", "network_mode", "pid", "env_file"} & set(container)
    user = container["user"].split(":")
    assert len(user) == 2
    assert all(int(part) > 0 for part in user)
    assert container["read_only"] is True
    assert [mount.partition(":")[0] for mount in container["tmpfs"]] == ["/tmp"]
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]


def test_compose_runs_ours_as_the_user_of_the_image() -> None:
    assert {service(kind)["user"] for kind in KINDS} == {only("USER")}


def test_only_refreshers_get_credentials() -> None:
    for name in SERVICES:
        given = set(REFRESHERS_ONLY) & set(service(name).get("environment", {}))
        assert given == (set(REFRESHERS_ONLY) if name == "refresher" else set()), name


def test_only_readers_get_what_is_theirs() -> None:
    theirs = {"ADMIN_TOKEN", "GITHUB_WEBHOOK_SECRET", "TRUSTED_PROXIES"}
    for name in SERVICES:
        given = theirs & set(service(name).get("environment", {}))
        assert given == (theirs if name == "reader" else set()), name


def test_every_setting_can_be_given_to_compose_under_its_own_name_and_no_secret_stands_in_it() -> (
    None
):
    given: dict[str, str] = {}
    for kind in KINDS:
        given |= service(kind)["environment"]
    assert set(given) == {name.upper() for name in Settings.model_fields}
    fixed = {"REDIS_URL", "PORT", "TRUSTED_PROXIES"}
    for name, value in (given | service("redis")["environment"]).items():
        if name not in fixed:
            # A secret has no default; no other setting has one but a number.
            default = "" if name in SECRETS else r"\d*"
            assert re.fullmatch(rf"\$\{{{name}(:-{default}|:\?[^}}]+)\}}", value), name


def test_readers_believe_the_network_that_haproxy_is_in_and_no_other() -> None:
    (configured,) = compose()["networks"]["front"]["ipam"]["config"]
    assert service("reader")["environment"]["TRUSTED_PROXIES"] == configured["subnet"]
    default = configured["subnet"].removeprefix("${FRONT_NETWORK:-").removesuffix("}")
    assert load(trusted_proxies=default).trusted_networks == (ip_network(default),)
    inside = [name for name in SERVICES if "front" in service(name)["networks"]]
    assert inside == ["reader", "haproxy"]


def test_only_refreshers_have_a_way_to_github() -> None:
    networks = compose()["networks"]
    closed = {name for name, network in networks.items() if network.get("internal")}
    assert closed == {"front", "inside"}
    outside = {name for name in SERVICES if set(service(name)["networks"]) - closed}
    assert outside == {"refresher", "haproxy"}
    assert [name for name in SERVICES if "ports" in service(name)] == ["haproxy"]


def test_compose_waits_longer_than_processes_take_to_end() -> None:
    assert seconds(service("reader")["stop_grace_period"]) > GRACE
    # HAProxy is there for as long as what it has passed on.
    soft = int(re.findall(r"hard-stop-after (\d+)s", HAPROXY.read_text())[0])
    assert GRACE < soft < seconds(service("haproxy")["stop_grace_period"])
    assert service("haproxy")["stop_signal"] == "SIGUSR1"
    assert seconds(service("refresher")["stop_grace_period"]) > DEADLINE


def test_only_readers_are_asked_by_the_health_check_of_the_image() -> None:
    assert "healthcheck" not in service("reader")
    for kind in ("refresher", "scheduler"):
        assert service(kind)["healthcheck"] == {"disable": True}


def test_the_redis_of_compose_wants_its_password_and_throws_nothing_away(tmp_path: Path) -> None:
    data, programs, port = tmp_path / "data", tmp_path / "bin", free_port()
    for folder in (data, programs):
        folder.mkdir()
    stand_in = programs / "redis-server"
    where = f"--bind 127.0.0.1 --port {port}"
    stand_in.write_text(f'#!/bin/sh\nexec "{server_binary()}" "$@" {where}\n')
    stand_in.chmod(0o755)
    command = [word.replace("$$", "$") for word in service("redis")["command"]]
    password = "not $HOME, 'but this'"
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CACHE_PASSWORD": password,
    }
    with (
        subprocess.Popen(command, cwd=data, env=environment, stdout=subprocess.DEVNULL) as process,
        Redis("127.0.0.1", port, password=password, retry=AT_ONCE) as inside,
        Redis("127.0.0.1", port, retry=AT_ONCE) as stranger,
    ):
        try:
            eventually(lambda: answers(inside), what="Redis answers")
            assert inside.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert inside.config_get("appendonly") == {"appendonly": "yes"}
            with pytest.raises(AuthenticationError):
                stranger.ping()
            arguments = Path(f"/proc/{process.pid}/cmdline")
            assert not arguments.exists() or password not in arguments.read_text()
            process.terminate()
            assert process.wait(timeout=15) == 0, "the signal reaches Redis itself"
        finally:
            process.kill()


def answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False

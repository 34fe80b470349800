"""What is for Docker, Compose, HAProxy, Kubernetes and systemd fits the code and its promises."""

import http.server
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from importlib import import_module
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from redis import AuthenticationError, Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Worker
from rq.worker import WorkerStatus

from scripts.debian import find
from scripts.embedded_redis import EmbeddedRedis, free_port, server_binary
from shared.settings import REFRESHERS_ONLY, Settings, load
from shared.version import VERSION
from tests.end_to_end.fleet import Fleet, procfile
from tests.end_to_end.load import Load
from tests.exposed import a_fleet, families
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
SYSTEMD = ROOT / "deploy" / "systemd"
HAPROXY = ROOT / "deploy" / "haproxy" / "haproxy.cfg"

KINDS = ["reader", "refresher", "scheduler"]
# The oldest that kustomization.yaml speaks of, and the newest whose schemas there are.
KUBERNETES_VERSIONS = ["1.29", "1.37"]
SECRETS = {
    *REFRESHERS_ONLY,
    *("CACHE_PASSWORD", "GITHUB_WEBHOOK_SECRET", "ADMIN_TOKEN"),
}
# For clients that wait for content, and then what gunicorn gives them besides (gunicorn.conf.py).
GRACE = float(Settings.model_fields["miss_wait"].default) + 5  # seconds
# The most that one answer of GitHub takes.
DEADLINE = float(Settings.model_fields["origin_deadline"].default)  # seconds
SYSTEMD_EXPOSURE = 20  # of 100, which is a service without any protection


def program(name: str, nothing: str) -> Path:
    """Where a program is; skip where there is none."""
    found = find(name)
    if found is None:
        pytest.skip(f"NO {nothing} IS CHECKED HERE: {name} is not installed")
    return found


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever that is."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, **options
    )


AT_ONCE = Retry(NoBackoff(), 0)  # or not at all


# Docker


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, in order, lines joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def last_stage() -> list[tuple[str, str]]:
    """What makes the image itself."""
    every = instructions()
    begin = max(number for number, (name, _) in enumerate(every) if name == "FROM")
    return every[begin:]


def only(name: str) -> str:
    """The one instruction of a name in the last stage."""
    (found,) = (rest for one, rest in last_stage() if one == name)
    return found


def copied() -> dict[str, str]:
    """What of this checkout is in the image, and where below its working directory."""
    sources: dict[str, str] = {}
    for name, rest in last_stage():
        if name == "COPY":
            *names, target = rest.split()
            for source in names:
                sources[source] = target if target != "./" else source
    return sources


def health_check() -> list[str]:
    """The image's own, but with this very Python."""
    command: list[str] = json.loads(only("HEALTHCHECK").partition(" CMD ")[2])
    assert command[0] == "python"
    return [sys.executable, *command[1:]]


def test_the_image_begins_as_a_reader() -> None:
    assert json.loads(only("CMD")) == procfile()["reader"]
    assert "ENTRYPOINT" not in dict(last_stage()), "the command says which process it is"


def test_the_image_has_what_processes_need_and_nothing_else() -> None:
    assert set(copied()) == {
        *("requirements.lock", "gunicorn.conf.py"),
        *("shared/", "reader/", "refresher/"),
    }
    assert "ADD" not in dict(instructions())
    kept = {line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert kept == {f"!{source}" for source in copied()}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored.index("*") < ignored.index("!shared/"), "all else is not even sent"


def test_the_last_stage_runs_as_nobody_in_particular() -> None:
    stage = last_stage()
    assert only("USER") == "10001:10001"
    last_run = max(number for number, (name, _) in enumerate(stage) if name == "RUN")
    assert ("USER", "10001:10001") in stage[last_run:], "what is installed is not its own"
    assert not [rest for name, rest in stage if name == "COPY" and "--chown" in rest]


def test_the_last_stage_compiles_nothing_and_asks_no_index() -> None:
    runs = [rest for name, rest in last_stage() if name == "RUN"]
    installs = [rest for rest in runs if "install" in rest]
    assert len(installs) == 1
    assert "pip install" in installs[0]
    assert "--no-index" in installs[0]
    assert not re.search(r"apt|gcc|build-essential|curl", " ".join(runs))
    assert [rest for name, rest in instructions() if name == "FROM"] == [
        "python:3.12-slim AS wheels",
        "python:3.12-slim",
    ]


def test_signals_reach_the_process_and_its_output_is_not_held_back() -> None:
    assert only("STOPSIGNAL") == "SIGTERM"
    assert "PYTHONUNBUFFERED=1" in only("ENV").split()
    assert isinstance(json.loads(only("CMD")), list), "in exec form: no shell stands between"


def test_no_secret_and_no_setting_is_baked_into_the_image() -> None:
    named = {name for name, _ in instructions()}
    assert "ARG" not in named
    assert not [name for name in Settings.model_fields if name.upper() in only("ENV")]
    text = (ROOT / "Dockerfile").read_text()
    assert not [name for name in SECRETS if name in text]


HANG_UP = 0


@contextmanager
def a_server(asked: list[str] | None = None, **statuses: int) -> Iterator[int]:
    """Something on a port that answers `/name` with the status of that name, and else with 500.

    An answer's body has the request's header fields, as JSON.

    Args:
        asked: where the methods of requests are put that get no answer.
        statuses: by name; HANG_UP closes the connection without an answer.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if statuses.get(self.path.strip("/")) == HANG_UP:
                assert asked is not None
                asked.append(self.command)
                self.close_connection = True
                return
            sent = {name.title(): value for name, value in self.headers.items()}
            body = json.dumps(sent).encode()
            self.send_response(statuses.get(self.path.strip("/"), 500))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # who looks after health reads no further
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_tells_whether_a_reader_answers(status: int, healthy: bool) -> None:
    with a_server(livez=status) as port:
        # A proxy for the internet is none for this.
        environment = {"PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
        assert (run(*health_check(), env=environment).returncode == 0) is healthy


def test_the_health_check_tells_that_nobody_answers() -> None:
    assert run(*health_check(), env={"PORT": str(free_port())}).returncode != 0


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A folder that holds of this checkout what the image does."""
    folder = tmp_path / "app"
    folder.mkdir()
    for source, target in copied().items():
        if (ROOT / source).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, folder / target, ignore=ignore)
        else:
            shutil.copy(ROOT / source, folder / target)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_in_the_image_is_enough_and_sigterm_ends_it(
    kind: str, image: Path, redis: Redis, redis_server: EmbeddedRedis
) -> None:
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "REDIS_URL": redis_server.url,
        "GITHUB_API_URL": "http://127.0.0.1:9",
        "PORT": str(free_port()),
        "WEB_CONCURRENCY": "1",
    }

    def is_up() -> bool:
        assert process.poll() is None, log.read_text()
        if kind == "reader":
            return run(*health_check(), env=environment).returncode == 0
        if kind == "scheduler":
            return bool(redis.exists("rq:cron_schedulers"))
        # Not merely known: idle, since from then on it hears signals.
        return [worker.get_state() for worker in Worker.all(redis)] == [WorkerStatus.IDLE]

    log = image.parent / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            procfile()[kind], cwd=image, env=environment, stdout=output, stderr=output
        ) as process,
    ):
        try:
            eventually(is_up, what=f"the {kind} is up")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=15) == 0, log.read_text()
        finally:
            process.kill()


# Compose


@cache
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return read


SERVICES = ["redis", "reader", "refresher", "scheduler", "haproxy"]


def seconds(written: str) -> int:
    """Compose's and systemd's whole seconds."""
    return int(written.removesuffix("s"))


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"][name]
    return found


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


def test_every_setting_can_be_given_to_compose_under_its_own_name() -> None:
    given: dict[str, str] = {}
    for kind in KINDS:
        given |= service(kind)["environment"]
    assert set(given) == {name.upper() for name in Settings.model_fields}
    fixed = {"REDIS_URL", "PORT", "TRUSTED_PROXIES"}
    for name, value in given.items():
        if name not in fixed:
            assert re.fullmatch(rf"\$\{{{name}(:-\d*|:\?[^}}]+)\}}", value), name


def test_no_secret_stands_in_compose() -> None:
    for name in SERVICES:
        for variable, value in service(name).get("environment", {}).items():
            if variable in SECRETS:
                assert re.fullmatch(rf"\$\{{{variable}(:-|:\?[^}}]+)\}}", value), variable


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
        Redis(port=port, password=password, retry=AT_ONCE) as inside,
        Redis(port=port, retry=AT_ONCE) as stranger,
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


# HAProxy


def directives() -> str:
    """The configuration without its comments."""
    lines = (line.partition("#")[0].rstrip() for line in HAPROXY.read_text().splitlines())
    return "\n".join(line for line in lines if line)


def test_haproxy_can_read_its_configuration() -> None:
    haproxy = program("haproxy", "CONFIGURATION OF HAPROXY")
    checked = run(haproxy, "-c", "-f", HAPROXY)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "[WARNING]" not in checked.stderr


def test_haproxy_asks_each_reader_whether_it_can_serve() -> None:
    assert "http-check send meth GET uri /healthcheck " in directives()
    assert "http-check expect status 200" in directives()
    assert re.search(r"default-server check ", directives())
    assert re.search(r"server-template reader- \d+ reader:5000 ", directives())
    assert service("reader")["environment"]["PORT"] == "5000"


def test_haproxy_sends_again_only_what_met_a_broken_connection() -> None:
    assert re.findall(r"retry-on (.*)", directives()) == ["conn-failure empty-response"]
    assert "http-request disable-l7-retry unless METH_GET" in directives()
    assert "on-marked-down" not in directives(), "what a reader has begun, it ends"


def test_haproxy_waits_for_readers_longer_than_they_have_clients_wait() -> None:
    assert seconds(re.findall(r"timeout server (\w+)", directives())[0]) > GRACE


def test_haproxy_leaves_no_client_the_headers_that_readers_believe_of_it() -> None:
    for header in ("X-Request-Id", "X-Forwarded-Host"):
        assert re.search(rf"^ +http-request set-header {header} \S+$", directives(), re.MULTILINE)
    set_proto = re.findall(r"http-request set-header X-Forwarded-Proto (.*)", directives())
    assert set_proto == ["http", "https if { ssl_fc }"]


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
        "X-Forwarded-Proto": "gopher",
        "Host": "cache.example",
    }
    with a_server(healthcheck=200, view=200) as port, haproxy_before([port], tmp_path) as url:
        answer = requests.get(url + "/view", headers=theirs, timeout=5)
        seen = answer.json()
        assert seen["X-Forwarded-Host"] == "cache.example"
        assert seen["X-Forwarded-Proto"] == "http"
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


# Kubernetes


@cache
def objects() -> list[dict[str, Any]]:
    """What kustomization.yaml names, as it is written."""
    names = kustomization()["resources"]
    read = [yaml.safe_load_all((KUBERNETES / name).read_text()) for name in names]
    return [one for several in read for one in several]


def kustomization() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    return read


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    """Objects by their names."""
    return {one["metadata"]["name"]: one for one in objects() if one["kind"] == kind}


def pod(kind: str) -> dict[str, Any]:
    spec: dict[str, Any] = of_kind("Deployment")[kind]["spec"]["template"]["spec"]
    return spec


def container(kind: str) -> dict[str, Any]:
    (only_one,) = pod(kind)["containers"]
    found: dict[str, Any] = only_one
    return found


def assert_valid(one: Mapping[str, Any], version: str) -> None:
    """By Kubernetes's own schemas, with nothing that they do not name."""
    validator = import_module("kubernetes_validate")
    validator.validate(one, version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_kubernetes_takes_every_object(version: str) -> None:
    secrets = yaml.safe_load_all((KUBERNETES / "secrets.example.yaml").read_text())
    for one in (*objects(), *secrets):
        assert_valid(one, version)


def test_the_schemas_refuse_what_is_wrong() -> None:
    wrong = {**of_kind("Deployment")["reader"], "sepc": {}}
    with pytest.raises(import_module("kubernetes_validate").ValidationError):
        assert_valid(wrong, KUBERNETES_VERSIONS[-1])


def test_kustomize_builds_what_kubernetes_takes() -> None:
    built = run(program("kubectl", "KUSTOMIZATION"), "kustomize", KUBERNETES)
    assert built.returncode == 0, built.stderr
    made = list(yaml.safe_load_all(built.stdout))
    for one in made:
        assert_valid(one, KUBERNETES_VERSIONS[-1])
    kinds = sorted(one["kind"] for one in made)
    assert kinds == sorted([*(one["kind"] for one in objects()), "ConfigMap"])
    images = re.findall(r"image: (\S+)", built.stdout)
    assert images == [f"registry.example.com/api-read-cache:{VERSION}"] * len(KINDS)
    (settings,) = (one["metadata"]["name"] for one in made if one["kind"] == "ConfigMap")
    assert built.stdout.count(f"name: {settings}") == len(KINDS) + 1, "all have its generated name"


def test_the_kustomization_names_every_file() -> None:
    files = {file.name for file in KUBERNETES.iterdir()}
    rest = {"kustomization.yaml", "secrets.example.yaml"}
    assert files == {*kustomization()["resources"], *rest}
    assert [image["newTag"] for image in kustomization()["images"]] == [VERSION]


def test_settings_for_kubernetes_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    (generated,) = kustomization()["configMapGenerator"]
    for literal in generated["literals"]:
        name, _, value = literal.partition("=")
        assert name.lower() in Settings.model_fields
        assert name not in SECRETS
        monkeypatch.setenv(name, value)
    for kind in KINDS:
        for variable in container(kind).get("env", []):
            assert variable["name"].lower() in Settings.model_fields
            assert variable["name"] not in SECRETS
            monkeypatch.setenv(variable["name"], variable["value"])
    load()


@pytest.mark.parametrize("kind", KINDS)
def test_kubernetes_runs_what_the_procfile_runs(kind: str) -> None:
    assert container(kind)["command"] == procfile()[kind]
    assert "args" not in container(kind)
    assert container(kind)["image"] == "api-read-cache"


@pytest.mark.parametrize("kind", KINDS)
def test_every_pod_can_do_no_more_than_it_has_to(kind: str) -> None:
    user = int(only("USER").partition(":")[0])
    assert pod(kind)["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(kind)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [mount["mountPath"] for mount in container(kind)["volumeMounts"]] == ["/tmp"]
    assert all("emptyDir" in volume for volume in pod(kind)["volumes"])
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod(kind))
    assert {"requests", "limits"} <= set(container(kind)["resources"])


@pytest.mark.parametrize("kind", KINDS)
def test_no_pod_holds_a_token_of_kubernetes(kind: str) -> None:
    assert pod(kind)["serviceAccountName"] == kind
    assert pod(kind)["automountServiceAccountToken"] is False
    assert of_kind("ServiceAccount")[kind]["automountServiceAccountToken"] is False
    assert pod(kind)["enableServiceLinks"] is False


def test_secrets_are_named_not_contained_and_go_to_those_who_need_them() -> None:
    assert not of_kind("Secret")
    example = yaml.safe_load_all((KUBERNETES / "secrets.example.yaml").read_text())
    named = {one["metadata"]["name"]: one["stringData"] for one in example}
    assert {value for values in named.values() for value in values.values()} == {""}
    given = {
        kind: [one["secretRef"]["name"] for one in container(kind)["envFrom"] if "secretRef" in one]
        for kind in KINDS
    }
    assert given == {
        "reader": ["redis", "readers"],
        "refresher": ["redis", "github"],
        "scheduler": ["redis"],
    }
    assert set(named["github"]) == set(REFRESHERS_ONLY) - {"GITHUB_APP_PRIVATE_KEY_FILE"}
    assert not set(REFRESHERS_ONLY) & {*named["redis"], *named["readers"]}


def test_readers_are_probed_and_drained() -> None:
    reader = container("reader")
    assert reader["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert reader["readinessProbe"]["httpGet"] == {"path": "/healthcheck", "port": "http"}
    (port,) = reader["ports"]
    environment = {variable["name"]: variable["value"] for variable in reader["env"]}
    assert str(port["containerPort"]) == environment["PORT"]
    name, pause = reader["lifecycle"]["preStop"]["exec"]["command"]
    assert name == "sleep"
    assert int(pause) + GRACE < pod("reader")["terminationGracePeriodSeconds"]
    assert pod("refresher")["terminationGracePeriodSeconds"] > DEADLINE


@pytest.mark.parametrize("kind", ["reader", "refresher"])
def test_there_are_always_some(kind: str) -> None:
    labels = {"app.kubernetes.io/name": kind}
    budget = of_kind("PodDisruptionBudget")[kind]["spec"]
    scaler = of_kind("HorizontalPodAutoscaler")[kind]["spec"]
    assert budget["selector"]["matchLabels"] == labels
    assert budget["maxUnavailable"] < scaler["minReplicas"]
    assert scaler["scaleTargetRef"]["name"] == kind
    assert "replicas" not in of_kind("Deployment")[kind]["spec"], "the autoscaler's alone"
    for constraint in pod(kind)["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"] == labels


def test_refreshers_are_scaled_by_a_metric_that_readers_expose() -> None:
    (metric,) = of_kind("HorizontalPodAutoscaler")["refresher"]["spec"]["metrics"]
    name = metric["external"]["metric"]["name"]
    assert name in families(a_fleet())
    assert f"max({name}{{" in (ROOT / "docs" / "deploying.md").read_text(), "the rule is there"


def test_the_service_leads_to_readers() -> None:
    spec = of_kind("Service")["reader"]["spec"]
    template = of_kind("Deployment")["reader"]["spec"]["template"]
    assert spec["selector"].items() <= template["metadata"]["labels"].items()
    assert [port["targetPort"] for port in spec["ports"]] == ["http"]


def test_nobody_speaks_to_anybody_but_for_what_is_allowed() -> None:
    policies = {name: one["spec"] for name, one in of_kind("NetworkPolicy").items()}
    denied = policies.pop("nothing-else")
    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies["all-to-dns"]["podSelector"] == {} == policies["all-to-redis"]["podSelector"]
    ways_in = [name for name, spec in policies.items() if "Ingress" in spec["policyTypes"]]
    assert ways_in == ["ingress-and-prometheus-to-readers"]
    (way_in,) = policies[ways_in[0]]["ingress"]
    assert all({"namespaceSelector", "podSelector"} == set(peer) for peer in way_in["from"])
    ways_out = [name for name, spec in policies.items() if "ipBlock" in json.dumps(spec)]
    assert ways_out == ["refreshers-to-github"]
    outside = policies["refreshers-to-github"]
    assert outside["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "refresher"}}
    (way_out,) = outside["egress"]
    assert way_out["ports"] == [{"protocol": "TCP", "port": 443}]
    inner = [ip_network(one) for to in way_out["to"] for one in to["ipBlock"]["except"]]
    for address in ("10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "fd00::1"):
        assert any(ip_address(address) in network for network in inner), address


# systemd


def units() -> list[str]:
    return sorted(file.name for file in SYSTEMD.iterdir())


def unit(kind: str) -> dict[str, list[str]]:
    """What stands in the unit of a kind of process, by name."""
    (file,) = SYSTEMD.glob(f"api-read-cache-{kind}*.service")
    lines = [line for line in file.read_text().splitlines() if line[:1] not in {"", "#", "["}]
    found: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition("=")
        found.setdefault(name, []).append(value)
    return found


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    """The units, as if this checkout were where they look for it."""
    made = []
    for name in units():
        text = (SYSTEMD / name).read_text()
        text = text.replace("/opt/api-read-cache/.venv/bin", str(Path(sys.executable).parent))
        file = tmp_path / name
        file.write_text(text.replace("/opt/api-read-cache", str(ROOT)))
        made.append(file)
    return made


def test_systemd_finds_nothing_wrong_with_the_units(installed: list[Path]) -> None:
    verified = run(program("systemd-analyze", "UNIT OF SYSTEMD"), "verify", *installed)
    assert verified.returncode == 0, verified.stderr
    assert "api-read-cache" not in verified.stderr, "not even a warning"


def test_systemd_holds_the_units_to_be_well_protected(installed: list[Path]) -> None:
    analyze = program("systemd-analyze", "PROTECTION BY SYSTEMD")
    if "--offline" not in run(analyze, "--help").stdout:
        pytest.skip("NO PROTECTION BY SYSTEMD IS CHECKED HERE: it is older than 250")
    options = ["security", "--offline=yes", f"--threshold={SYSTEMD_EXPOSURE}", "--no-pager"]
    for file in installed:
        if file.suffix == ".service":
            judged = run(analyze, *options, file)
            assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_systemd_runs_what_the_procfile_runs(kind: str) -> None:
    (command,) = unit(kind)["ExecStart"]
    assert shlex.split(command.removeprefix("/opt/api-read-cache/.venv/bin/")) == procfile()[kind]
    assert unit(kind)["EnvironmentFile"] == [
        "/etc/api-read-cache/common.env",
        f"-/etc/api-read-cache/{kind}.env",
    ]
    assert unit(kind)["PartOf"] == unit(kind)["WantedBy"] == ["api-read-cache.target"]


def test_systemd_waits_longer_than_processes_take_to_end() -> None:
    assert int(unit("reader")["TimeoutStopSec"][0]) > GRACE
    assert int(unit("refresher")["TimeoutStopSec"][0]) > DEADLINE
    # Else SIGTERM ends the refresh under way, too.
    assert unit("reader")["KillMode"] == unit("refresher")["KillMode"] == ["mixed"]


def test_the_target_begins_a_whole_fleet() -> None:
    target = (SYSTEMD / "api-read-cache.target").read_text()
    wanted = " ".join(re.findall(r"^Wants=(.*)", target, re.MULTILINE)).split()
    assert sorted(wanted) == [
        "api-read-cache-reader.service",
        "api-read-cache-refresher@1.service",
        "api-read-cache-refresher@2.service",
        "api-read-cache-scheduler.service",
    ]

"""Secrets are in no key, value, answer, metric or line of a log, whatever happens."""

import base64
import gzip
import json
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import brotli
import pytest
import requests
from redis import Redis

from refresher.github.auth.credentials import Token
from shared.redis import keys
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.webhooks import star
from tests.http_client import exchange
from tests.redis_contents import stored, unpackings
from tests.waiting import eventually

# As different as can be, so that none occurs by chance.
SECRETS = {
    "GITHUB_API_TOKEN": "ghp_Zq7fTokenOfTheRefreshers8d2L",
    "GITHUB_HOOK_TOKEN": "ghp_SeesWhatTheWebhooksSent6kW1x",
    "ADMIN_TOKEN": "AdminMayForgetAndPause+41x",
    "CACHE_PASSWORD": "Redis:Pass/w@rd?93&Kp",
    "GITHUB_WEBHOOK_SECRET": "WebhooksAreSignedWith55vB",
    "client token": "ghp_AClientSentThisOfItsOwn77",
    "client query": "gho_InTheAddressAsOnceAllowed3",
    "client cookie": "SessionOfSomeOtherSite20m",
}
OURS = {name: SECRETS[name] for name in SECRETS if name.isupper()}
ORG, REPOS = "/orgs/Netflix", "/orgs/Netflix/repos"
CLIENT = {
    "Authorization": f"Bearer {SECRETS['client token']}",
    "Cookie": f"session={SECRETS['client cookie']}",
}
QUERY = f"access_token={SECRETS['client query']}"
TARGETS = [
    *("/", ORG, f"{ORG}/members", REPOS, f"{REPOS}?page=2", "/view/top/3/stars"),
    *("/users/netflix", "/users/nobody-of-that-name", "/repos/Netflix/Hystrix"),
    *("/view/top/0/stars", "/user", "/livez", "/healthcheck", "/metrics"),
    *("/status", "/status.json", "/status/assets/status.css"),
]


def forms(secret: str) -> dict[str, bytes]:
    """How a secret may be written."""
    known = {"plain": secret, "in a path": quote(secret), "in a query": quote(secret, safe="")}
    known["hex"] = secret.encode().hex()
    for shift in range(3):  # wherever in a longer text it stands, as in `user:password`
        text = base64.b64encode(b"\0" * shift + secret.encode()).decode().rstrip("=")
        whole = text[(0, 2, 3)[shift] : len(text) - bool((shift + len(secret)) % 3)]
        known[f"base64, {shift}"] = whole
        known[f"base64url, {shift}"] = whole.translate(str.maketrans("+/", "-_"))
    return {form: text.encode() for form, text in known.items()}


FORMS = {(name, form): text for name in SECRETS for form, text in forms(SECRETS[name]).items()}


def leaks(data: bytes) -> list[tuple[str, str]]:
    """Which secrets are in some bytes, or in what they are when unpacked."""
    unpacked = list(unpackings(data))
    return [known for known, text in FORMS.items() if any(text in one for one in unpacked)]


@pytest.mark.parametrize("secret", SECRETS.values())
def test_a_leak_would_be_found(secret: str) -> None:
    text = secret.encode()
    for data in (text, b"a" + text + b"b", quote(secret).encode(), zlib.compress(b"{" + text)):
        assert leaks(data)
    for before in (b"", b"x", b"me:", b"user:"):
        assert leaks(b"Basic " + base64.b64encode(before + text + b"!"))
        assert leaks(base64.urlsafe_b64encode(before + text))
    assert leaks(brotli.compress(text * 3))
    assert leaks(gzip.compress(text))
    assert not leaks(b'{"login": "Netflix"}')


class Commands:
    """All that Redis is told inside the block, that is what it holds for a moment only, too."""

    def __init__(self, redis: Redis) -> None:
        self.seen: list[str] = []
        self._redis = redis
        self._thread = threading.Thread(target=self._listen)
        self._started = threading.Event()

    def __enter__(self) -> "Commands":
        self._thread.start()
        assert self._started.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._redis.echo("the end")
        self._thread.join()

    def _listen(self) -> None:
        with self._redis.monitor() as monitor:  # type: ignore[no-untyped-call]
            self._started.set()
            for command in monitor.listen():
                if command["command"] == "ECHO the end":
                    return
                self.seen.append(command["command"])


class Clients:
    """Asks, and keeps what came back: head and body."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, bytes]] = []

    def ask(self, reader: Reader, target: str, *, method: str = "GET", **known: Any) -> int:
        answer = requests.request(
            method, reader.url + target, timeout=60, allow_redirects=False, **known
        )
        said = f"{answer.status_code} {answer.reason} {dict(answer.headers)}"
        self.answers.append((f"{method} {target}", said.encode() + b"\n" + answer.content))
        return answer.status_code

    def ask_for_all(self, reader: Reader) -> None:
        """Everything there is, as clients ask that send what they should not."""
        for target in TARGETS:
            self.ask(reader, target, headers=CLIENT)
            joined = "&" if "?" in target else "?"
            self.ask(reader, f"{target}{joined}{QUERY}", headers=CLIENT)
            self.ask(reader, target, method="HEAD", headers=CLIENT)
        for method in ("OPTIONS", "POST", "DELETE"):
            self.ask(reader, f"{ORG}?{QUERY}", method=method, headers=CLIENT)
        token = SECRETS["client token"]
        self.ask(reader, "/users/netflix", auth=("somebody", token))
        self.ask(reader, ORG, headers={"X-Request-Id": f"{token} and more"})

    def ask_oddly(self, reader: Reader) -> None:
        """What gunicorn refuses by itself."""
        secret = SECRETS["client token"].encode()
        host = b"Host: cache.test\r\n"
        for odd in (
            b"GET /users/netflix?%s HTTP/9.9\r\n%s\r\n" % (QUERY.encode(), host),
            b"GET /users/netflix HTTP/1.1\r\n%sAuthorization Bearer %s\r\n\r\n" % (host, secret),
            b"GET /users/netflix HTTP/1.1\r\n%sAuthorization : Bearer %s\r\n\r\n" % (host, secret),
            b"GE(T /users/netflix?%s HTTP/1.1\r\n%s\r\n" % (QUERY.encode(), host),
            b"GET /users/netflix HTTP/1.1\r\n%sContent-Length: %s\r\n\r\n" % (host, secret),
        ):
            for answer in exchange(reader.url, odd):
                said = f"{answer.status} {answer.headers}".encode()
                self.answers.append((repr(odd[:20]), said + answer.body))

    def deliver(self, reader: Reader, secret: str) -> int:
        """GitHub tells of a star."""
        body, headers = star(secret)
        return self.ask(reader, "/webhooks/github", method="POST", data=body, headers=headers)

    def operate(self, reader: Reader) -> None:
        """Act with the token, in a header and in the form."""
        token = OURS["ADMIN_TOKEN"]
        bearer = {"Authorization": f"Bearer {token}"}
        for action in ("refresh", "forget", "pause", "resume"):
            data = {"resource": "/users/netflix"}
            self.ask(reader, f"/status/{action}", method="POST", headers=bearer, data=data)
        for given in (token, SECRETS["client token"]):
            self.ask(reader, "/status/sign-in", method="POST", data={"token": given})
        for target in ("/status", "/status.json"):
            self.ask(reader, target, headers=bearer)


def failure_of(redis: Redis) -> Mapping[str, Any]:
    text = redis.get(keys.failure(Catalogue(("Netflix",)).of_kind(REPOSITORIES, "Netflix")))
    known: Mapping[str, Any] = json.loads(text or b"{}")
    return known


def is_set_aside(redis: Redis) -> bool:
    """Whether a credential is not used for a while."""
    return bool(redis.keys(keys.aside("*")))


def has_failed(redis: Redis, status: int) -> bool:
    return failure_of(redis).get("status") == status


def live_through_everything(
    fleet: Fleet, github: FakeGitHubProcess, redis: Redis, clients: Clients
) -> None:
    """Content, errors, webhooks, actions, and a GitHub that fails and refuses the token."""
    fleet.worker()
    fleet.scheduler()
    readers = [fleet.healthy_reader(), fleet.flask_reader()]
    for reader in readers:
        eventually(reader.is_healthy)
        clients.ask_for_all(reader)
        assert clients.deliver(reader, OURS["GITHUB_WEBHOOK_SECRET"]) == 202
        assert clients.deliver(reader, SECRETS["client token"]) == 401
        clients.operate(reader)
    clients.ask_oddly(readers[0])

    github.fault("status", status=502, message="a failure of GitHub's")
    clients.deliver(readers[0], OURS["GITHUB_WEBHOOK_SECRET"])
    eventually(partial(has_failed, redis, 502), what="GitHub answered 502")
    assert clients.ask(readers[0], "/users/other", headers=CLIENT) == 503
    github.clear_faults()
    github.configure(tokens=[])
    clients.deliver(readers[0], OURS["GITHUB_WEBHOOK_SECRET"])
    eventually(partial(is_set_aside, redis), what="GitHub refuses the token")
    time.sleep(5.5)  # readers report every few seconds
    for reader in readers:
        clients.ask_for_all(reader)


def lose_redis(fleet: Fleet, redis: Redis) -> None:
    """For a while the password is another one."""
    redis.config_set("requirepass", "another")
    others = Redis("127.0.0.1", fleet.redis_server.port, password="another")
    others.client_kill_filter(_type="normal", skipme=True)
    others.client_kill_filter(_type="pubsub", skipme=True)
    reader = fleet.readers[0]
    eventually(lambda: "Redis is away" in reader.output, what="the reader has noticed")
    others.config_set("requirepass", OURS["CACHE_PASSWORD"])
    others.close()
    eventually(lambda: "Redis is back" in reader.output, what="the reader has recovered")


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess) -> Iterator[Fleet]:
    """One whose processes have every secret, and tell as much as they ever do."""
    talkative = {"LOG_FORMAT": "json", "ACCESS_LOG": 1, "MISS_WAIT": 5}
    with Fleet(tmp_path, github.url, **OURS, **talkative) as running:
        running.interpreters = True  # readers, too, are given every secret
        with running.redis() as redis:
            redis.config_set("requirepass", OURS["CACHE_PASSWORD"])
        yield running


def test_no_secret_is_to_be_found_anywhere(
    tmp_path: Path, fleet: Fleet, github: FakeGitHubProcess
) -> None:
    clients = Clients()
    password = OURS["CACHE_PASSWORD"]
    with Redis("127.0.0.1", fleet.redis_server.port, password=password) as redis:
        with Commands(redis) as commands:
            live_through_everything(fleet, github, redis, clients)
        held = list(stored(redis))
        held += [(repr(key), key) for key in redis.scan_iter(count=1000)]
        lose_redis(fleet, redis)
    logs = [(file.name, file.read_bytes()) for file in tmp_path.rglob("*.log")]

    # There was something to be found in.
    assert any(name.startswith("rq:") for name, _ in held)
    assert any(keys.credential(Token(OURS["GITHUB_API_TOKEN"]).id) == name for name, _ in held)
    assert len(clients.answers) > 200
    assert {name.partition("-")[0] for name, _ in logs} >= {"reader", "refresher", "scheduler"}
    for said in (b"reader.access", b'"outcome": "failed"', b"is set aside"):
        assert any(said in text for _, text in logs), said

    given = [("a command", command.encode()) for command in commands.seen]
    assert len(given) > 1000
    for kind, found in (
        ("Redis", held),
        ("commands", given),
        ("answers", clients.answers),
        ("logs", logs),
    ):
        leaked = {(name, *leak) for name, data in found for leak in leaks(data)}
        assert leaked == set(), kind

"""A small fleet in one process: a reader and a refresher, a real Redis, the stand-in GitHub.

What waits for seconds in production waits for moments here, so that many kinds of damage are tried.
"""

import gc
import json
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from redis import Redis
from rq import Queue

from reader.app import create_app
from reader.process import ReaderProcess
from refresher import process as refresher_process
from refresher.worker import RefreshWorker
from scripts.embedded_redis import EmbeddedRedis
from shared.key_table import KeyForm, form_of
from shared.queueing import QUEUE
from shared.resources.resource import Resource
from tests.builders import make_settings, on_demand
from tests.fakegithub.client import FakeGitHub
from tests.reader.webhooks.test_receiver import NEW, sign
from tests.redis_contents import stored
from tests.refresher.workbench import MEMBERS, ORG, REPOS
from tests.waiting import eventually

TOKEN = "an-admin-token-of-24-chars"
_TICK = 0.05  # seconds
_QUICK = {
    "refresher.worker.TICK": _TICK,
    "refresher.dispatch.dispatcher.TICK": _TICK,
    "refresher.dispatch.dispatcher._PAUSE": _TICK,
    "refresher.storage.mending.EVERY_S": 0.2,
    "refresher.storage.mending._SOON_S": 0.0,
    "shared.redis.trouble._QUIET": 3.0,  # longer than a busy machine holds all writers up
    "reader.cache.synchronizer.TICK": _TICK,
    "reader.fleet.process_reporter._TICK": _TICK,
    "reader.fleet.process_reporter.INTERVAL": 2 * _TICK,
    "reader.fleet.snapshot._MAX_AGE": 0.0,
    "shared.queueing.ASK_INTERVAL": timedelta(seconds=_TICK),
    "reader.cache.refresh_requests._READ_ANEW_PAUSE": 0.5,
}


class Errors(logging.Handler):
    """Keeps what was logged with a traceback: nobody has expected that."""

    def __init__(self) -> None:
        super().__init__()
        self.unexpected: list[str] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        if record.exc_info:
            self.unexpected.append(self.format(record))


class System:
    """The fleet."""

    def __init__(self, redis: Redis, github: FakeGitHub, app: Flask, errors: Errors) -> None:
        self.redis, self.github, self.app, self.errors = redis, github, app, errors
        self.client = app.test_client()
        self._users, self._deliveries = count(1), count(1)

    @property
    def reader(self) -> ReaderProcess:
        found = self.app.extensions["process"]
        assert isinstance(found, ReaderProcess)
        return found

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=headers)

    def holds(self, resource: Resource) -> bool:
        """Whether a client is sent the content of a resource."""
        return bool(self.get(resource.name).status_code == 200)

    def body(self, resource: Resource) -> Any:
        """What a client is sent now; content that was held once is always sent."""
        answer = self.get(resource.name)
        assert answer.status_code == 200, answer.text
        return answer.json

    def miss(self) -> None:
        """What nobody holds is asked for in the end; GitHub has no such user."""
        path = f"/users/u{next(self._users)}"
        eventually(lambda: self._comes(path), every=_TICK, what=path)

    def _comes(self, path: str) -> bool:
        answer = self.get(path)
        assert answer.status_code in {404, 503}, answer.text
        return bool(answer.status_code == 404)

    def event(self) -> None:
        """A star is told of in the end, and then every client sees it."""
        item = self.github.mutate("star", repo=3, by=5)
        repository = {name: item[name] for name in ("id", "name", "full_name")}
        told = {"repository": {**repository, "owner": {"login": "Netflix"}}}
        eventually(lambda: self._takes(json.dumps(told).encode()), every=_TICK, what="a delivery")
        eventually(
            lambda: self.body(REPOS) == self.github.repos(), every=_TICK, what="the star is seen"
        )

    def _takes(self, body: bytes) -> bool:
        headers = {
            "X-GitHub-Event": "star",
            "X-GitHub-Delivery": f"11111111-2222-3333-4444-{next(self._deliveries):012}",
            "X-Hub-Signature-256": sign(body),
        }
        answer = self.client.post("/webhooks/github", data=body, headers=headers)
        assert answer.status_code in {202, 503}, answer.text
        return bool(answer.status_code == 202)

    def look(self) -> Any:
        """What operators and Prometheus see, whatever is damaged."""
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        for path in ("/status", "/metrics", "/healthcheck", "/rate_limit"):
            assert self.get(path, **bearer).status_code == 200, path
        answer = self.get("/status.json", **bearer)
        assert answer.status_code == 200
        assert answer.json["redis"]
        return answer.json

    def remove_unreadable(self, key: str) -> None:
        """Remove a value that still holds what nobody can read."""
        if any(b"\xff\xfe" in part for name, part in stored(self.redis) if name == key):
            self.redis.delete(key)

    def keys_of(self, form: KeyForm) -> list[str]:
        """The keys of a form; those of the list of repositories first."""
        names = (key.decode() for key in self.redis.scan_iter(count=1000))
        return sorted(
            (name for name in names if form_of(name) == form),
            key=lambda name: (REPOS.id not in name, name),
        )


@contextmanager
def running() -> Iterator[System]:
    """A fleet that holds content of each kind."""
    errors = Errors()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        redis_server = stack.enter_context(EmbeddedRedis(folder))
        github = stack.enter_context(FakeGitHub(repos=45, members=4, anonymous_limit=1_000_000))
        redis = stack.enter_context(Redis.from_url(redis_server.url))
        for name, value in _QUICK.items():
            stack.enter_context(patch(name, value))
        patching = pytest.MonkeyPatch()
        stack.callback(patching.undo)
        for name, value in _environment(redis_server.url, github.url).items():
            patching.setenv(name, value)
        for name in ("reader", "refresher"):
            log = logging.getLogger(name)
            log.addHandler(errors)
            stack.callback(log.removeHandler, errors)
        stack.enter_context(_refresher(redis_server.url))
        app = create_app(
            make_settings(
                redis_url=redis_server.url, orgs="Netflix", miss_wait=0.5, admin_token=TOKEN,
                github_webhook_secret=NEW, github_api_url=github.url,
            )
        )  # fmt: skip
        system = System(redis, github, app, errors)
        system.reader.start()
        stack.callback(system.reader.stop)
        for resource in (ORG, MEMBERS, REPOS, on_demand("/users/netflix")):
            eventually(partial(system.holds, resource))
        system.event()
        yield system


def _environment(redis_url: str, github_url: str) -> dict[str, str]:
    return {
        "REDIS_URL": redis_url,
        "GITHUB_API_URL": github_url,
        "ORGS": "Netflix",
        "LOCK_TTL": "2",
        "ORIGIN_POINTS_PER_MINUTE": "100000",
        "REFRESH_CONCURRENCY": "8",
        "BACKOFF_MAX": "1",
    }


@contextmanager
def _refresher(url: str) -> Iterator[None]:
    """A refresher in a thread, which takes no signals."""
    with (
        patch.object(refresher_process._process, "server", None),
        patch.object(RefreshWorker, "_install_signal_handlers", lambda _: None),
        patch("refresher.worker.signal.signal", lambda *_: None),
        Redis.from_url(url) as redis,
    ):
        queue = Queue(QUEUE, connection=redis)
        worker = RefreshWorker([queue], connection=redis, name="tested")
        thread = Thread(target=worker.work, name="tested-refresher", daemon=True)
        thread.start()
        eventually(lambda: hasattr(worker, "_dispatcher"))
        yield
        worker.request_stop(None, None)
        thread.join(30)
        refresher_process.close()
        assert not thread.is_alive()
    # Sockets of threads that have ended, in cycles: another test would be blamed for them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def damage(redis: Redis, key: str, wanted: str) -> None:
    """Replace a value by one of another type, without an expiry."""
    with redis.pipeline() as at_once:  # or the system would write it anew in between
        at_once.delete(key)
        match wanted:
            case "string":
                at_once.set(key, b"\xff\xfe damage")
            case "list":
                at_once.rpush(key, b"\xff\xfe", "damage")
            case "hash":
                at_once.hset(key, b"\xff\xfe", "damage")
            case "set":
                at_once.sadd(key, b"\xff\xfe", "damage")
            case "zset":
                at_once.zadd(key, {b"\xff\xfe": 1, b"damage": time.time()})
            case "stream":
                at_once.xadd(key, {b"\xff\xfe": "damage"})
        at_once.execute()


def make_unreadable(redis: Redis, key: str, form: KeyForm) -> None:
    """Replace what a value holds by bytes that nobody can read; its type and expiry stay."""
    left = redis.pttl(key)
    match form.type:
        case "string":
            redis.set(key, b"\xff\xfe\x00{", keepttl=True)
        case "list":
            redis.lpush(key, b"\xff\xfe\x00{", "null", "[]", "{}")
        case "hash":
            for field in [*redis.hkeys(key), b"\xff\xfe"]:
                redis.hset(key, field, b"\xff\xfe\x00{")
        case "set":
            redis.sadd(key, b"\xff\xfe\x00{", "", "a:b:c")
        case "zset":
            redis.zadd(key, {b"\xff\xfe\x00{": 1, b"a b": 1e300, b"": -1e300, b"x": time.time()})
        case "stream":
            redis.xadd(key, {b"\xff\xfe": b"\xff\xfe\x00{"})
    if left == -2:
        redis.pexpire(key, 500)

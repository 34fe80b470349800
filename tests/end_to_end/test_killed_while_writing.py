"""Refreshers are killed again and again while a large list changes: what is stored stays whole."""

import gzip
import hashlib
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis

from shared.queueing import QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from tests.end_to_end.fleet import Fleet
from tests.end_to_end.up_to_date import REPOS, await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection, request
from tests.waiting import eventually

LIST = Catalogue(("Netflix",)).of_kind(REPOSITORIES, "Netflix")
REPOSITORIES_THERE = 245
KILLS = 10


@pytest.fixture
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(repos=REPOSITORIES_THERE, members=1, anonymous_limit=10**9) as server:
        yield server


@dataclass
class Seen:
    """What clients were sent.

    Args:
        bodies: by entity tag, digests of the bodies as they were on the wire.
        contents: by the tag without its coding, digests of the uncompressed bodies.
        faults: what is wrong.
    """

    bodies: dict[str, set[str]] = field(default_factory=dict)
    contents: dict[str, set[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def note(self, etag: str, body: bytes, coding: str) -> None:
        """Take note of one response."""
        content = gzip.decompress(body) if coding == "gzip" else body
        if len(json.loads(content)) != REPOSITORIES_THERE:
            self.faults.append(f"{etag}: {len(content)} bytes")
        tag = etag.strip('"')
        self.bodies.setdefault(tag, set()).add(hashlib.sha256(body).hexdigest())
        digest = hashlib.sha256(content).hexdigest()
        self.contents.setdefault(tag.removesuffix("-gzip"), set()).add(digest)

    def mixed(self) -> list[str]:
        """Tags that stand for several bodies, and bodies that have several tags."""
        several = [tag for one in (self.bodies, self.contents) for tag in one if len(one[tag]) > 1]
        different = {digest for digests in self.contents.values() for digest in digests}
        return several + ["a body has two tags"] * (len(different) != len(self.contents))


@contextmanager
def clients(url: str) -> Iterator[Seen]:
    """Clients that request the list all the time, with and without compression."""
    seen, ends = Seen(), threading.Event()

    def ask(coding: str) -> None:
        with Connection(url, timeout=60) as connection:
            while not ends.wait(0.05):
                connection.send(request(REPOS, Accept_Encoding=coding))
                response = connection.receive()
                if response.status != 200:
                    seen.faults.append(f"{coding}: {response.status}")
                    continue
                found = response.headers.get("content-encoding", "identity")
                seen.note(response.headers["etag"], response.body, found)

    threads = [threading.Thread(target=ask, args=(coding,)) for coding in ("gzip", "identity")]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ends.set()
        for thread in threads:
            thread.join()


@contextmanager
def changes(github: FakeGitHubProcess, redis: Redis, dice: random.Random) -> Iterator[None]:
    """Stars that are given all the time, each with its webhook's mark, or without."""
    queue, ends = RefreshQueue(redis, QueueLimits()), threading.Event()

    def change() -> None:
        while not ends.wait(dice.uniform(0, 0.1)):
            repo = dice.randrange(REPOSITORIES_THERE)
            item = github.mutate("star", repo=repo, by=dice.randint(1, 9))["id"]
            if dice.random() < 0.8:
                queue.mark(LIST, item=item)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def whole_version(redis: Redis) -> int:
    """The version that is stored, after a look at all of it."""
    entry, state = Store(redis).read_with_state(LIST)
    assert entry is not None
    assert state.is_complete
    assert len(json.loads(bytes(entry.body))) == REPOSITORIES_THERE
    assert gzip.decompress(bytes(entry.encoded["gzip"])) == entry.body
    assert all(len(view) == REPOSITORIES_THERE for view in entry.views.values())
    assert redis.hlen(keys.segments(LIST)) == entry.metadata.segments
    return entry.metadata.version


@pytest.mark.timeout(290)
def test_a_refresher_that_is_killed_at_any_time_leaves_a_whole_list(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    dice = random.Random("kills")
    settings = {"CACHE_TTL": 1, "LOCAL_TTL": 1, "LOCK_TTL": 1, "ORIGIN_POINTS_PER_MINUTE": 10**6}
    with Fleet(tmp_path, github.url, **settings) as fleet, fleet.redis() as redis:
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        versions = set[int]()
        with clients(reader.url) as seen, changes(github, redis, dice):
            for _ in range(KILLS):
                before = whole_version(redis)
                eventually(lambda: whole_version(redis) > before, what="another version")  # noqa: B023
                time.sleep(dice.uniform(0, 0.4))
                worker.kill()
                versions.add(whole_version(redis))
                worker = fleet.worker()
            # On a busy machine they may have missed some.
            eventually(lambda: len(seen.contents) > KILLS, what="clients have seen more versions")
        await_up_to_date(github, reader)
        whole_version(redis)
    assert seen.faults == []
    assert seen.mixed() == []
    assert len(versions) == KILLS
    assert not any("Traceback" in running.output for running in fleet.readers)

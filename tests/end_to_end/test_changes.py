"""The change feed of real processes: followers miss nothing, and hear nothing twice.

The follower is the Python example of docs/changes.md.
"""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from threading import Thread
from typing import Any

import pytest
import requests
from redis import Redis

from shared.redis import keys
from tests.builders import tracked
from tests.end_to_end.fleet import CHECKOUT, Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection, request
from tests.waiting import eventually

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(repos=50, anonymous_limit=1_000_000) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(github: FakeGitHubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("fleet"), github.url, CACHE_TTL=1) as running:
        running.worker()
        yield running


def example() -> Callable[..., Iterator[dict[str, Any]]]:
    """The function `follow` of the document."""
    text = (CHECKOUT / "docs" / "changes.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    follow: Callable[..., Iterator[dict[str, Any]]] = names["follow"]
    return follow


class Followed:
    """What the example hears, in a thread."""

    def __init__(self, reader: Reader, since: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._follow = example()(f"{reader.url}/changes", since)
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        for event in self._follow:
            self.events.append(event)

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]


def last_id(reader: Reader) -> str:
    found: str = reader.get("/changes").json()["last_id"]
    return found


def told(redis: Redis, since: str) -> list[str]:
    """The ids of all events after that one."""
    return [one.decode() for one, _ in redis.xrange(keys.FEED, f"({since}")]  # type: ignore[union-attr]


def test_a_follower_misses_nothing_through_the_death_of_readers(
    fleet: Fleet, github: FakeGitHubProcess
) -> None:
    reader = fleet.healthy_reader(WEB_CONCURRENCY=2)
    with closing(fleet.redis()) as redis:
        since = last_id(reader)
        followed = [Followed(reader, since) for _ in range(2)]
        starred = set()
        for number in range(12):
            starred.add(github.mutate("star", repo=number)["id"])
            time.sleep(0.3)
            if number in {3, 7}:  # both at once, then one
                for process in reader.processes()[number // 7 :]:
                    process.kill()
        eventually(
            lambda: all(
                starred <= {item["id"] for event in one.events for item in _changed(event)}
                for one in followed
            ),
            what="every star is told",
        )
        for one in followed:
            eventually(partial(_has_heard, one, redis, since), what="each event, once")
            assert not any(event.get("read_anew") for event in one.events)


def _has_heard(followed: Followed, redis: Redis, since: str) -> bool:
    return followed.ids == told(redis, since)


def _changed(event: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = event.get("items", {}).get("changed", [])
    return found


def test_what_is_told_is_served_at_once_by_the_process_that_told_it(
    fleet: Fleet, github: FakeGitHubProcess
) -> None:
    reader = fleet.healthy_reader(WEB_CONCURRENCY=1)
    since = last_id(reader)
    for number in range(3):
        github.mutate("edit_org", description=f"number {number}")
        answer = reader.get(f"/changes?since={since}&wait=60&resource=/orgs/Netflix").json()
        [change] = answer["changes"]
        response = reader.get("/orgs/Netflix", headers={"Accept-Encoding": "identity"})
        assert response.headers["ETag"] == change["etag"]
        assert response.json()["description"] == f"number {number}"
        since = answer["last_id"]


def test_head_is_answered_with_the_header_of_the_stream(fleet: Fleet) -> None:
    reader = fleet.healthy_reader()
    fields = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    head = requests.head(f"{reader.url}/changes?wait=60", headers=STREAM, timeout=60)
    assert head.status_code == 200
    assert fields.items() <= head.headers.items()


def test_a_reload_ends_followers_with_a_hint(fleet: Fleet) -> None:
    reader = fleet.healthy_reader(WEB_CONCURRENCY=2)
    with requests.get(f"{reader.url}/changes", headers=STREAM, stream=True, timeout=60) as one:
        lines = one.iter_lines(chunk_size=1)
        assert next(lines) == b"retry: 2000"
        reader.signal(signal.SIGHUP)
        hints = [line for line in lines if line.startswith(b"retry: ")]
    assert len(hints) == 1  # and the response ends as it should
    assert 200 <= int(hints[0].removeprefix(b"retry: ")) < 2200


def test_a_follower_that_takes_nothing_loses_its_place(fleet: Fleet) -> None:
    reader = fleet.healthy_reader(CLIENT_MAX_FOLLOWERS=1)
    resource = tracked("/orgs/Netflix")
    fields = {"resource": resource.name, "form": resource.form, "version": 1, "asked_at": 1}
    event = json.dumps({**fields, "etag": "x" * 16_000})
    with (
        closing(fleet.redis()) as redis,
        Connection(reader.url, receive_buffer=4096) as slow,
    ):
        slow.send(request("/changes", Accept="text/event-stream"))
        eventually(lambda: slow.take(1), what="it follows")
        with requests.get(f"{reader.url}/changes", headers=STREAM, timeout=60) as refused:
            assert refused.status_code == 429
        for _ in range(100):  # more than all buffers take
            redis.xadd(keys.FEED, {"event": event})
        eventually(lambda: reader.get("/changes").ok, what="its place is free")
        assert reader.get("/orgs/Netflix").ok

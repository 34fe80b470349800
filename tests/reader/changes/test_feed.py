"""Followers hear each event once, in order, after a reader has what it tells; or begin anew."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from reader.cache.local_cache import LocalCache
from reader.changes import feed, serving
from reader.changes.event import NAMED_S
from shared.redis import keys
from shared.redis.withdrawals import withdraw
from shared.resources.resource import Resource
from tests.builders import NOW, make_entry, on_demand, tracked
from tests.reader.conftest import MakeApp
from tests.reader.front.loopback import Run, an_application
from tests.reader.test_asgi import make_scope
from tests.waiting import eventually

if TYPE_CHECKING:
    from reader.asgi import Application

ORG, REPOS, USER = tracked("/orgs/Netflix"), tracked("/orgs/Netflix/repos"), on_demand("/users/a")
VERSION = 7
_NUMBERS = count()


@pytest.fixture(autouse=True)
def _held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads may be held up on a busy machine: nothing is given up, or told, for that."""
    monkeypatch.setattr(feed, "_BEGIN_WITHIN", 60.0)
    monkeypatch.setattr(feed, "LONGEST_HOLD", 3600.0)


@pytest.fixture
def application(make_app: MakeApp) -> "Iterator[Application]":
    app = make_app(changes_followers=3, client_max_followers=2)
    with an_application(app) as made:
        local = made.process.start().local
        for resource in (ORG, REPOS):
            local.put(resource, make_entry(version=VERSION), NOW)
        yield made


def tell(
    redis: Redis,
    resource: Resource = ORG,
    *,
    version: int = VERSION,
    about: dict[str, Any] | None = None,
    **known: Any,
) -> str:
    """Add an event, as a refresher does, with more fields; return its id."""
    fields = {"resource": resource.name, "form": resource.form, "version": version, "status": 200}
    event = json.dumps({**fields, "etag": '"tag"', "asked_at": NOW, **(about or {})})
    stream = keys.FEED if resource.tracked else keys.FEED_ON_DEMAND
    # As the refreshers' script: ids grow over both streams.
    own = f"{redis.time()[0]}000-{next(_NUMBERS)}"
    added = redis.xadd(stream, {"event": event}, **{"id": own, **known})
    assert isinstance(added, bytes)
    return added.decode()


class Follower:
    """A client that follows, without a socket."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_over = False
        self.takes = asyncio.Event()
        self.takes.set()
        self._heard = asyncio.Event()

    async def send(self, message: Any) -> None:
        await self.takes.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): one.decode() for name, one in message["headers"]}
        else:
            self.body += message["body"]
            self.is_over = not message.get("more_body", False)
        self._heard.set()

    async def until(self, text: str) -> None:
        """Wait until it has heard this."""
        while text.encode() not in self.body:
            self._heard.clear()
            await self._heard.wait()

    @property
    def ids(self) -> list[str]:
        """The ids of the events."""
        blocks = self.body.decode().split("\n\n")
        return [one.split("\n")[0].removeprefix("id: ") for one in blocks if "\ndata:" in one]

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def call(application: "Application", follower: Follower, query: str, **known: Any) -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    client = known.pop("client", "192.0.2.7")
    headers = [(b"host", b"a.test")]
    headers += [(name.encode(), value.encode()) for name, value in known.items()]
    scope = make_scope(
        "/changes", query_string=query.encode(), headers=headers, client=(client, 4000)
    )
    await application(scope, receive, follower.send)


@asynccontextmanager
async def following(
    application: "Application", query: str = "", **known: Any
) -> AsyncIterator[Follower]:
    follower = Follower()
    known = {"accept": "text/event-stream", **known}
    task = asyncio.create_task(call(application, follower, query, **known))
    while not follower.body and not task.done():
        await asyncio.sleep(0.001)
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def asked(application: "Application", query: str = "", **known: Any) -> Follower:
    follower = Follower()
    await call(application, follower, query, **known)
    return follower


def test_each_event_is_told_once_and_in_order(
    run: Run, redis: Redis, application: "Application"
) -> None:
    async def test() -> None:
        async with following(application) as one, following(application) as other:
            ids = [tell(redis, (ORG, REPOS)[number % 2]) for number in range(300)]
            await one.until(ids[-1])
            await other.until(ids[-1])
            assert one.ids == other.ids == ids
            assert one.headers["content-type"] == "text/event-stream"
            assert one.headers["x-accel-buffering"] == "no"
            assert one.headers["access-control-allow-origin"] == "*"
            assert one.headers["cache-control"] == "no-store"
            assert one.body.startswith(b"retry: 2000\nid: 0-0\n\n")

    run(test())


def test_a_follower_goes_on_where_it_was(
    run: Run, redis: Redis, application: "Application"
) -> None:
    ids = [tell(redis) for _ in range(450)]  # before this process reads anything

    async def test() -> None:
        async with following(application, f"since={ids[0]}") as by_query:
            await by_query.until(ids[-1])
            assert by_query.ids == ids[1:]
        later = tell(redis)
        async with following(application, "since=1-1", **{"last-event-id": ids[3]}) as by_header:
            await by_header.until(later)
            assert by_header.ids == [*ids[4:], later]
        answer = await asked(application, f"since={ids[-2]}")
        assert answer.document["last_id"] == later
        assert [one["id"] for one in answer.document["changes"]] == [ids[-1], later]
        assert not answer.document["read_anew"]

    run(test())


def test_one_who_has_fallen_behind_is_told_to_read_anew(
    run: Run, redis: Redis, application: "Application"
) -> None:
    ids = [tell(redis) for _ in range(5)]
    redis.xtrim(keys.FEED, maxlen=3, approximate=False)

    async def test() -> None:
        for since in (ids[1], "1-0", "9999999999999-0"):
            async with following(application, f"since={since}") as follower:
                await follower.until("event: reset")
                assert follower.ids == [ids[-1]]
                assert b'"read_anew":true' in follower.body
            answer = await asked(application, f"since={since}")
            assert answer.document == {"changes": [], "last_id": ids[-1], "read_anew": True}
        answer = await asked(application, f"since={ids[2]}")
        assert [one["id"] for one in answer.document["changes"]] == ids[3:]

    run(test())


def test_an_event_waits_until_this_reader_would_serve_it(
    run: Run, redis: Redis, application: "Application"
) -> None:
    local: LocalCache = application.process.start().local

    async def test() -> None:
        async with following(application) as follower:
            first = tell(redis)
            ahead = tell(redis, version=VERSION + 2)
            behind = tell(redis)
            await follower.until(first)
            await asyncio.sleep(0.1)
            assert follower.ids == [first]
            local.put(ORG, make_entry(version=VERSION + 3), NOW)
            await follower.until(behind)
            assert follower.ids == [first, ahead, behind]

    run(test())


def test_an_event_does_not_wait_for_ever(
    run: Run, redis: Redis, application: "Application", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LONGEST_HOLD", 0.05)

    async def test() -> None:
        async with following(application) as follower:
            await follower.until(tell(redis, version=VERSION + 1))

    run(test())


def test_nobody_learns_what_others_read_on_demand(
    run: Run, redis: Redis, application: "Application"
) -> None:
    async def test() -> None:
        async with (
            following(application) as everything,
            following(application, "resource=/users/a") as named,
        ):
            ids = [tell(redis, one) for one in (USER, on_demand("/users/b"), USER, ORG)]
            await everything.until(ids[3])
            await named.until(ids[2])
            assert (everything.ids, named.ids) == ([ids[3]], [ids[0], ids[2]])
            assert b"users" not in everything.body
        answer = await asked(application, f"since={ids[0]}&resource=/users/a")
        assert [one["id"] for one in answer.document["changes"]] == [ids[2]]

    run(test())


def test_a_long_poll_ends_with_the_first_change_or_in_time(
    run: Run, redis: Redis, application: "Application"
) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        last = (await asked(application)).document["last_id"]
        began = loop.time()
        answer = await asked(application, "wait=1")
        assert loop.time() - began > 0.9
        assert answer.document == {"changes": [], "last_id": last, "read_anew": False}
        waiting = asyncio.create_task(asked(application, f"since={last}&wait=60"))
        await asyncio.sleep(0.05)
        changed = tell(redis)
        answer = await waiting
        assert [one["id"] for one in answer.document["changes"]] == [changed]
        assert answer.document["last_id"] == changed
        assert answer.headers["content-type"].startswith("application/json")

    run(test())


def test_silence_is_broken_by_heartbeats_that_say_how_far_the_follower_is(
    run: Run, redis: Redis, application: "Application", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HEARTBEAT", 0.05)

    async def test() -> None:
        async with following(application, "resource=/users/a") as follower:
            other = tell(redis)  # which it does not follow
            await follower.until(f"\n\nid: {other}\n\n")
            assert follower.ids == []

    run(test())


def test_followers_are_bounded(run: Run, application: "Application") -> None:
    async def test() -> None:
        async with following(application), following(application) as second:
            refused = await asked(application, accept="text/event-stream")
            assert (refused.status, refused.headers["retry-after"]) == (429, "10")
            async with following(application, client="192.0.2.8"):
                refused = await asked(application, client="192.0.2.9")
                assert (refused.status, refused.headers["retry-after"]) == (503, "10")
            assert second.status == 200
        assert (await asked(application)).status == 200

    run(test())


def test_one_who_takes_nothing_is_dropped(
    run: Run, redis: Redis, application: "Application", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "SLOWEST", 0.1)

    async def test() -> None:
        async with following(application) as slow, following(application) as quick:
            slow.takes.clear()
            changed = tell(redis)
            await quick.until(changed)
            while application.process.start().places.taken > 1:
                await asyncio.sleep(0.01)
            assert slow.ids == []

    run(test())


def test_the_end_of_a_process_ends_followers_with_a_hint(
    run: Run, application: "Application"
) -> None:
    async def test() -> None:
        async with following(application) as follower:
            waiting = asyncio.create_task(asked(application, "wait=60"))  # longer than a test
            while application.process.start().places.taken < 2:
                await asyncio.sleep(0.01)
            application.end_followers()
            while not follower.is_over:
                await asyncio.sleep(0.01)
            assert follower.body.endswith(b"\n\nretry: 200\n\n")
            assert (await waiting).document["changes"] == []

    run(test())


def test_a_loss_in_redis_sends_followers_away_to_be_told_to_read_anew(
    run: Run, redis: Redis, application: "Application"
) -> None:
    first = tell(redis)

    async def test() -> None:
        async with following(application) as follower:
            redis.delete(keys.FEED)
            # An error, after which the thread looks at the stream as a whole.
            errors = wrong_types(redis)
            redis.set(keys.FEED, "x")
            await asyncio.to_thread(eventually, lambda: wrong_types(redis) > errors)
            redis.delete(keys.FEED)
            tell(redis, id="1-1")
            while not follower.is_over:
                await asyncio.sleep(0.01)
        async with following(application, f"since={first}") as again:
            await again.until("event: reset")
            assert again.ids == ["1-1"]

    run(test())


def wrong_types(redis: Redis) -> int:
    """How often Redis has refused a command because a key has another type."""
    counts: Any = redis.info("errorstats")
    return int(counts.get("errorstat_WRONGTYPE", {"count": 0})["count"])


def test_a_redis_that_is_away_is_a_503(
    run: Run, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_BEGIN_WITHIN", 0.5)
    with an_application(make_app(redis_url="redis://127.0.0.1:1/0")) as away:

        async def test() -> None:
            assert (await asked(away)).status == 503

        run(test())


@pytest.mark.parametrize(("query", "status"), [("x=1", 400), ("resource=/user", 401)])
def test_a_wrong_request_is_refused(
    run: Run, application: "Application", query: str, status: int
) -> None:
    async def test() -> None:
        assert (await asked(application, query)).status == status

    run(test())


SECRET = on_demand("/repos/netflix/secret")
NAMED: dict[str, dict[str, Any]] = {
    way: {"items": {"added": [], "removed": [], "changed": [], way: [item]}}
    for way, item in (("removed", {"id": 4711}), ("changed", {"id": 1, "name": "Netflix/Secret"}))
}
OTHERS = {"items": {"added": [{"id": 2, "name": "Netflix/Hystrix"}], "removed": [], "changed": []}}


def told_of(follower: Follower, event_id: str) -> Any:
    """What a follower has heard in an event."""
    block = next(one for one in follower.body.decode().split("\n\n") if f"id: {event_id}\n" in one)
    return json.loads(block.partition("data: ")[2])


def test_nothing_withdrawn_is_named_live_or_repeated(
    run: Run, redis: Redis, application: "Application"
) -> None:
    components = application.process.start()
    first = tell(redis, REPOS)

    async def test() -> None:
        query = "resource=/orgs/Netflix/repos&resource=/repos/Netflix/Secret"
        async with following(application, query) as live:
            before = tell(redis, REPOS, about=NAMED["changed"])
            await live.until(before)
            assert b"Netflix/Secret" in live.body
            withdraw(redis, ["netflix/secret", "#4711"])
            await asyncio.to_thread(components.synchronizer.guarded_tick)
            components.changes.forget_withdrawn()
            heard = len(live.body)
            own = tell(redis, SECRET)
            ids = [tell(redis, REPOS, about=one) for one in (*NAMED.values(), OTHERS)]
            await live.until(ids[-1])
            gone = tell(redis, SECRET, about={"status": 404})
            await live.until(gone)
            assert b"Secret" not in live.body[heard:]
            assert own not in live.ids, "it is about that alone"
            for one in ids[:2]:
                assert told_of(live, one)["read_anew"]
            assert told_of(live, ids[2])["items"] == OTHERS["items"]
        for since in (first, before):  # from Redis, and from memory
            again = await asked(application, f"{query}&since={since}")
            text = json.dumps(again.document)
            assert "Secret" not in text
            assert "4711" not in text
            assert ids[2] in text

    run(test())


def test_old_events_name_no_items(run: Run, redis: Redis, application: "Application") -> None:
    """Withdrawals are not remembered for ever."""
    now = redis.time()[0]
    old = int(1000 * (now - NAMED_S - 60))
    since = tell(redis, REPOS, id=f"{old}-0")
    tell(redis, REPOS, about=OTHERS, id=f"{old}-1")
    young = tell(redis, REPOS, about=OTHERS, id=f"{1000 * now}-0")

    async def test() -> None:
        answer = await asked(application, f"since={since}")
        first, second = answer.document["changes"]
        assert (first.get("items"), first["read_anew"]) == (None, True)
        assert (second["id"], second["items"]) == (young, OTHERS["items"])

    run(test())

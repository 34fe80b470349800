"""Each write is one atomic step that only the newest holder of the lock can make."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from redis import Redis

from refresher.content.content import Content, not_found
from refresher.content.page import Body, Page, Unchanged
from refresher.refresh import refresh
from refresher.storage import page_store
from refresher.storage.entry_writer import EntryWriter
from refresher.storage.page_store import KnownPages
from shared.clock import Clock, FleetClock
from shared.failure import Failure
from shared.json_array import JsonArray
from shared.outcomes import FailureKind, RefreshOutcome
from shared.queueing import JOB_TIMEOUT
from shared.redis import keys
from shared.redis.announcements import Announcement, parse
from shared.redis.store import Store
from shared.resources.kinds import REPOSITORIES
from shared.resources.resource import Resource
from shared.stored_form import SCHEMA
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import (
    ORG,
    REPOS,
    USER_VIEW,
    ManualClock,
    dump,
    make_list,
    make_repository,
    make_settings,
)

NOW = 1_000_000.0
SETTINGS = make_settings(
    "http://unused.invalid", cache_ttl=1000, on_demand_ttl=60, on_demand_keep=600
)
FAILURE = Failure(FailureKind.TIMEOUT, "too late", None, 1, since=NOW, at=NOW, retry_at=NOW + 1)
# Long enough to be compressed, ranked: it has every field that an entry can have.
RICH = make_list(*[make_repository(n, description="x" * 50) for n in range(9)], kind=REPOSITORIES)
SETTINGS = make_settings("http://github.invalid")
PLAIN = Content(200, b'{"login":"Netflix"}')

# How often a refresh that is forced reads the clock until it judges what GitHub said.
AFTER_THE_ANSWER = 3

Write = Callable[[EntryWriter, Resource, int], bool]
WRITES: dict[str, Write] = {
    "store": lambda writer, resource, token: writer.store(resource, PLAIN, token=token, now=NOW),
    "confirm": lambda writer, resource, token: writer.confirm(
        resource, PLAIN, KnownPages(), token=token, now=NOW
    ),
    "failure": lambda writer, resource, token: writer.record_failure(
        resource, FAILURE, token=token
    ),
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


@pytest.fixture
def writer(redis: Redis) -> EntryWriter:
    return EntryWriter(redis, SETTINGS)


@pytest.fixture
def store(redis: Redis) -> Store:
    return Store(redis)


@pytest.fixture
def heard(redis: Redis) -> Iterator[Callable[[], list[Announcement | None]]]:
    """The announcements since the last call."""
    with redis.pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]
        pubsub.subscribe(keys.ANNOUNCE)
        while not pubsub.subscribed:
            pubsub.get_message(timeout=1)

        def listen() -> list[Announcement | None]:
            # A message to oneself comes behind all that was published before it.
            redis.publish(keys.ANNOUNCE, "end")
            messages: list[Announcement | None] = []
            while True:
                message = pubsub.get_message(timeout=60)
                if message is None:
                    continue
                if message["data"] == b"end":
                    return messages
                messages.append(parse(message["data"]))

        yield listen


def stored(writer: EntryWriter, resource: Resource, content: Content, now: float = NOW) -> int:
    """Store content as the holder of the lock does; return its version."""
    token = writer.draw_token(resource)
    assert writer.store(resource, content, token=token, now=now)
    return token


class TestTokens:
    """Each token is greater than every one before."""

    def test_grow_even_when_thousands_are_drawn_at_once(self, writer: EntryWriter) -> None:
        tokens = [writer.draw_token(ORG) for _ in range(2000)]
        assert all(earlier < later for earlier, later in pairwise(tokens))

    def test_grow_while_the_clock_is_set_back(self, redis: Redis, writer: EntryWriter) -> None:
        future = 4_000_000_000_000_000
        redis.set(keys.fence(ORG), future)
        assert [writer.draw_token(ORG) for _ in range(3)] == [future + 1, future + 2, future + 3]

    def test_grow_even_when_redis_lost_them(self, redis: Redis, writer: EntryWriter) -> None:
        before = writer.draw_token(ORG)
        redis.flushall()
        assert writer.draw_token(ORG) > before

    def test_grow_when_the_clock_was_set_back_and_only_the_entry_remembers(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        version = stored(writer, ORG, PLAIN)
        ahead = version + 3_600_000_000
        redis.delete(keys.fence(ORG))
        redis.hset(keys.entry(ORG), "confirmed_by", ahead)
        assert writer.draw_token(ORG) == ahead + 1

    def test_grow_beyond_the_version_of_an_entry_of_an_older_release(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        ahead = stored(writer, ORG, PLAIN) + 3_600_000_000
        meta = json.loads(redis.hget(keys.entry(ORG), "meta") or b"")
        redis.hset(keys.entry(ORG), "meta", json.dumps({**meta, "version": ahead}))
        redis.hdel(keys.entry(ORG), "confirmed_by")
        redis.delete(keys.fence(ORG))
        assert writer.draw_token(ORG) == ahead + 1

    def test_grow_beyond_a_tombstone(self, redis: Redis, writer: EntryWriter) -> None:
        writer.forget(USER_VIEW)
        ahead = int(redis.get(keys.forgotten(USER_VIEW)) or 0) + 3_600_000_000
        redis.set(keys.forgotten(USER_VIEW), ahead)
        redis.delete(keys.fence(USER_VIEW))
        assert writer.draw_token(USER_VIEW) == ahead + 1

    @pytest.mark.parametrize("damage", ["", "soon", "-1", "nan", "inf", "1e300", "9" * 300])
    def test_are_drawn_whatever_damage_is_stored(
        self, redis: Redis, writer: EntryWriter, damage: str
    ) -> None:
        stored(writer, ORG, PLAIN)
        redis.set(keys.fence(ORG), damage)
        redis.hset(keys.entry(ORG), "confirmed_by", damage)
        redis.set(keys.forgotten(ORG), damage)
        token = stored(writer, ORG, PLAIN)
        assert abs(token / 1e6 - redis.time()[0]) < 60

    @pytest.mark.parametrize("damage", [b"", b"x", b"nan", b"1e3", b"9" * 300, b"\xff"])
    def test_write_although_the_counter_of_changes_is_damaged(
        self, redis: Redis, writer: EntryWriter, damage: bytes
    ) -> None:
        redis.set(keys.CHANGES, damage)
        stored(writer, ORG, PLAIN)
        stored(writer, ORG, PLAIN)
        assert redis.get(keys.CHANGES) == b"2"

    def test_bring_redis_s_time_with_them(self, redis: Redis) -> None:
        wrong = Clock(lambda: 0.0, time.monotonic, time.sleep)
        clock = FleetClock(wrong)
        token = EntryWriter(redis, SETTINGS, clock=clock).draw_token(ORG)
        assert clock.now() == pytest.approx(token / 1e6, abs=5)

    def test_are_the_resource_s_own(self, writer: EntryWriter) -> None:
        token = writer.draw_token(ORG)
        writer.draw_token(REPOS)
        assert writer.store(ORG, PLAIN, token=token, now=NOW)

    def test_are_remembered_for_longer_than_a_refresh_may_take(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        writer.draw_token(ORG)
        longest = JOB_TIMEOUT.total_seconds()
        assert longest < redis.ttl(keys.fence(ORG)) <= 2 * longest


class TestFencing:
    """Only the refresher that drew the last token can write."""

    @every_write
    def test_the_newest_token_writes(self, writer: EntryWriter, write: Write) -> None:
        stored(writer, ORG, PLAIN)
        assert write(writer, ORG, writer.draw_token(ORG))

    @every_write
    def test_an_older_token_is_refused_though_the_newer_has_written_nothing(
        self, redis: Redis, writer: EntryWriter, write: Write
    ) -> None:
        stored(writer, ORG, PLAIN)
        old = writer.draw_token(ORG)
        writer.draw_token(ORG)
        before = everything(redis)
        assert not write(writer, ORG, old)
        assert everything(redis) == before

    @every_write
    def test_an_older_token_is_refused_after_the_newer_has_written(
        self, redis: Redis, writer: EntryWriter, write: Write
    ) -> None:
        old = writer.draw_token(ORG)
        stored(writer, ORG, PLAIN)
        before = everything(redis)
        assert not write(writer, ORG, old)
        assert everything(redis) == before

    @every_write
    def test_an_emptied_redis_refuses_and_stays_empty(
        self, redis: Redis, writer: EntryWriter, write: Write
    ) -> None:
        stored(writer, ORG, PLAIN)
        token = writer.draw_token(ORG)
        redis.flushall()
        assert not write(writer, ORG, token)
        assert redis.keys() == []

    @every_write
    def test_a_refused_write_is_not_announced(
        self,
        writer: EntryWriter,
        write: Write,
        heard: Callable[[], list[Announcement | None]],
    ) -> None:
        old = writer.draw_token(ORG)
        writer.draw_token(ORG)
        write(writer, ORG, old)
        assert heard() == []


def everything(redis: Redis) -> dict[bytes, object]:
    """All keys with their values."""
    keys_of_all = [bytes(key) for key in redis.scan_iter()]
    read: dict[object, Callable[[bytes], object]] = {
        b"hash": redis.hgetall,
        b"stream": redis.xrange,
        b"string": redis.get,
    }
    return {key: read[redis.type(key)](key) for key in keys_of_all}


class TestStore:
    """New content replaces the old content completely."""

    def test_what_is_stored_is_read_again(self, writer: EntryWriter, store: Store) -> None:
        version = stored(writer, REPOS, RICH)
        entry = store.read(REPOS)
        expected = RICH.entry(REPOS, version=version, now=NOW, lifetime=1000)
        assert entry is not None
        assert entry.metadata == expected.metadata
        assert (entry.body, entry.encoded) == (expected.body, expected.encoded)
        assert entry.array == expected.array
        assert entry.views.keys() == expected.views.keys()
        for name, view in entry.views.items():
            assert isinstance(view, JsonArray)
            assert isinstance(other := expected.views[name], JsonArray)
            assert (view.body, list(view.ends)) == (other.body, list(other.ends))

    def test_a_version_is_its_token(self, writer: EntryWriter, store: Store) -> None:
        first = stored(writer, ORG, PLAIN)
        second = stored(writer, ORG, PLAIN)
        metadata = store.state(ORG).metadata
        assert metadata is not None
        assert metadata.version == second > first

    def test_nothing_of_the_older_version_is_left_over(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        stored(writer, REPOS, RICH)
        rich = set(redis.hkeys(keys.entry(REPOS)))
        assert {b"ends", b"body:br", b"body:gzip", b"view:stars", b"view:stars:ends"} <= rich
        stored(writer, REPOS, not_found())
        assert set(redis.hkeys(keys.entry(REPOS))) == {
            b"meta", b"body", b"name", b"validated_at", b"fresh_until", b"confirmed_by",
        }  # fmt: skip
        assert set(redis.hkeys(keys.pages(REPOS))) == {b"heads", b"ids"}

    def test_pages_are_kept_by_their_number(self, redis: Redis, writer: EntryWriter) -> None:
        pages = [Page(f"https://x/{n}", None, None, Body.of(b"[]")) for n in (1, 2, 3)]
        stored(writer, ORG, Content(200, b"[]", pages=pages))
        kept = redis.hgetall(keys.pages(ORG))
        assert set(kept) == {b"heads", b"ids", b"1", b"2", b"3"}
        assert page_store.load(redis, ORG).pages == pages

    def test_success_ends_a_row_of_failures(self, writer: EntryWriter, store: Store) -> None:
        writer.record_failure(ORG, FAILURE, token=writer.draw_token(ORG))
        stored(writer, ORG, PLAIN)
        assert store.state(ORG).failure is None

    def test_ids_are_known_again(self, redis: Redis, writer: EntryWriter) -> None:
        content = make_list({"id": "é"}, {"id": 7}, {"node": 1})
        stored(writer, REPOS, content)
        assert page_store.load(redis, REPOS).ids == content.ids

    def test_a_list_of_a_thousand_pages_is_stored(self, redis: Redis, writer: EntryWriter) -> None:
        page = Page("https://x", None, None, Body.of(b"[]"))
        stored(writer, ORG, Content(200, b"[]", pages=[page] * 1000))
        assert redis.hlen(keys.pages(ORG)) == 1002

    def test_a_list_of_as_many_pages_as_the_settings_allow_is_stored(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        page = Page("https://x", None, None, Body.of(b"[]"))
        stored(writer, ORG, Content(200, b"[]", pages=[page] * 10_000))
        assert redis.hlen(keys.pages(ORG)) == 10_002


class TestConfirm:
    """Of unchanged content, only the freshness is renewed."""

    def test_changes_the_freshness_and_nothing_else_of_the_entry(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        stored(writer, REPOS, RICH)
        entry = redis.hgetall(keys.entry(REPOS))
        token = writer.draw_token(REPOS)
        assert writer.confirm(REPOS, RICH, KnownPages(), token=token, now=NOW + 500)
        moved = {
            b"validated_at": b"1000500.0",
            b"fresh_until": b"1001500.0",
            b"confirmed_by": str(token).encode(),
        }
        assert redis.hgetall(keys.entry(REPOS)) == entry | moved

    def test_keeps_the_pages_that_were_read_in_place_of_the_older(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        pages = [Page(f"https://x/{n}", None, None, Body.of(b"[]")) for n in (1, 2)]
        stored(writer, REPOS, replace(RICH, ids=[1, 2, 3], pages=pages))
        read = replace(RICH, ids=[1, 2], pages=pages[:1])
        writer.confirm(REPOS, read, KnownPages(), token=writer.draw_token(REPOS), now=NOW)
        known = page_store.load(redis, REPOS)
        assert (known.ids, known.pages) == ([1, 2], pages[:1])
        assert set(redis.hkeys(keys.pages(REPOS))) == {b"heads", b"ids", b"1"}

    def test_writes_only_the_pages_that_changed_if_the_others_are_known(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        pages = [Page(f"https://x/{n}", None, None, Body.of(b"[]")) for n in (1, 2, 3)]
        stored(writer, REPOS, replace(RICH, ids=[1, 2, 3], pages=pages))
        redis.hset(keys.pages(REPOS), "1", b"not written again")
        known = page_store.load(redis, REPOS)
        other = replace(known.pages[1], body=Body.of(b"[1]"))
        read = replace(RICH, ids=[1, 2], pages=[known.pages[0], other])
        assert writer.confirm(REPOS, read, known, token=writer.draw_token(REPOS), now=NOW)
        after = redis.hgetall(keys.pages(REPOS))
        assert after[b"1"] == b"not written again"
        assert after[b"2"] == other.body.packed()
        assert set(after) == {b"heads", b"ids", b"1", b"2"}
        assert page_store.load(redis, REPOS).ids == [1, 2]

    def test_writes_no_body_where_github_said_that_nothing_changed(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        pages = [Page(f"https://x/{n}", 'W/"1"', None, Body.of(b"[]"), "me") for n in (1, 2)]
        stored(writer, REPOS, replace(RICH, ids=[1, 2], pages=pages))
        before = redis.hgetall(keys.pages(REPOS))
        known = page_store.load(redis, REPOS)
        token = writer.draw_token(REPOS)
        assert writer.confirm(REPOS, Unchanged(known.pages), known, token=token, now=NOW)
        assert redis.hgetall(keys.pages(REPOS)) == before
        other = [replace(page, etag='W/"2"', given_to="you") for page in known.pages]
        assert writer.confirm(REPOS, Unchanged(other), known, token=token, now=NOW)
        after = redis.hgetall(keys.pages(REPOS))
        assert {name for name in after if after[name] != before[name]} == {b"heads"}
        assert page_store.load(redis, REPOS).pages == other

    def test_ends_a_row_of_failures(self, writer: EntryWriter, store: Store) -> None:
        stored(writer, ORG, PLAIN)
        writer.record_failure(ORG, FAILURE, token=writer.draw_token(ORG))
        writer.confirm(ORG, PLAIN, KnownPages(), token=writer.draw_token(ORG), now=NOW)
        assert store.state(ORG).failure is None

    def test_of_an_entry_that_is_gone_makes_none(self, redis: Redis, writer: EntryWriter) -> None:
        assert not writer.confirm(ORG, PLAIN, KnownPages(), token=writer.draw_token(ORG), now=NOW)
        assert not redis.exists(keys.entry(ORG))


class TestFailures:
    """The record of a failure lies beside the entry."""

    def test_is_read_again_and_the_entry_untouched(
        self, redis: Redis, writer: EntryWriter, store: Store
    ) -> None:
        stored(writer, REPOS, RICH)
        before = dump(redis, REPOS)
        assert writer.record_failure(REPOS, FAILURE, token=writer.draw_token(REPOS))
        assert store.state(REPOS).failure == FAILURE
        assert dump(redis, REPOS) == before

    @pytest.mark.parametrize("pause", [1, 3600])
    def test_outlives_its_pause_and_is_forgotten_afterwards(
        self, redis: Redis, writer: EntryWriter, pause: int
    ) -> None:
        failure = replace(FAILURE, retry_at=NOW + pause)
        for resource, keep in ((ORG, 86_400), (USER_VIEW, 660)):
            writer.record_failure(resource, failure, token=writer.draw_token(resource))
            assert 0 <= pause + keep - redis.ttl(keys.failure(resource)) < 60


class TestForget:
    """Nothing of a resource is left, and no refresh that is under way brings it back."""

    def test_removes_all_that_is_stored_of_it_and_of_nothing_else(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        version = stored(writer, USER_VIEW, PLAIN)
        stored(writer, ORG, PLAIN)
        others = dump(redis, ORG)
        writer.record_failure(USER_VIEW, FAILURE, token=writer.draw_token(USER_VIEW))
        redis.hset(keys.record(USER_VIEW), "refreshes", 1)
        redis.set(keys.invalidated_by(USER_VIEW), "a delivery")
        writer.forget(USER_VIEW)
        left = set(redis.scan_iter(f"*{USER_VIEW.id}*"))
        assert left == {keys.fence(USER_VIEW).encode(), keys.forgotten(USER_VIEW).encode()}
        assert int(redis.get(keys.forgotten(USER_VIEW)) or 0) > version
        assert dump(redis, ORG) == others

    def test_is_remembered_for_a_day(self, redis: Redis, writer: EntryWriter) -> None:
        writer.forget(USER_VIEW)
        assert 24 * 3600 - 300 <= redis.ttl(keys.forgotten(USER_VIEW)) <= 24 * 3600
        longest = JOB_TIMEOUT.total_seconds()
        assert redis.ttl(keys.fence(USER_VIEW)) > longest

    @every_write
    def test_refuses_what_a_refresh_that_began_before_would_write(
        self, redis: Redis, writer: EntryWriter, write: Write
    ) -> None:
        token = writer.draw_token(USER_VIEW)
        writer.forget(USER_VIEW)
        assert not write(writer, USER_VIEW, token)
        assert redis.exists(keys.entry(USER_VIEW), keys.pages(USER_VIEW)) == 0
        assert redis.exists(keys.failure(USER_VIEW)) == 0

    @pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
    def test_between_the_origin_s_answer_and_the_write_wins(
        self, redis: Redis, github: FakeGitHub, context_for: MakeContext, *, is_known: bool
    ) -> None:
        context = context_for(github.url, clock=(clock := ManualClock()))
        if is_known:
            assert refresh(USER_VIEW, context) is RefreshOutcome.UPDATED
            github.mutate("edit_org", followers=12345)
        asked = github.counters()["total"]

        def forget() -> None:
            assert github.counters()["total"] == asked + 1, "there is an answer"
            context.writer.forget(USER_VIEW)

        clock.at_call(AFTER_THE_ANSWER, forget)
        assert refresh(USER_VIEW, context, force=True) is RefreshOutcome.FENCED
        assert redis.exists(keys.entry(USER_VIEW), keys.pages(USER_VIEW)) == 0

    def test_what_begins_afterwards_is_stored_with_a_version_that_may_be_served(
        self, writer: EntryWriter, store: Store
    ) -> None:
        writer.forget(USER_VIEW)
        version = stored(writer, USER_VIEW, PLAIN)
        state = store.state(USER_VIEW)
        assert state.metadata is not None
        assert state.metadata.version == version > state.forgotten

    def test_is_announced(
        self, writer: EntryWriter, store: Store, heard: Callable[[], list[Announcement | None]]
    ) -> None:
        stored(writer, USER_VIEW, PLAIN)
        writer.forget(USER_VIEW)
        assert heard() == [Announcement(USER_VIEW.name, 1), Announcement(USER_VIEW.name, 2)]
        assert store.pulse().changes == 2


class TestAnnouncements:
    """Every write is announced once, under the next number."""

    def test_grow_by_one(
        self,
        writer: EntryWriter,
        store: Store,
        heard: Callable[[], list[Announcement | None]],
    ) -> None:
        for resource in (ORG, REPOS):
            stored(writer, resource, PLAIN)
            writer.confirm(
                resource, PLAIN, KnownPages(), token=writer.draw_token(resource), now=NOW
            )
            writer.record_failure(resource, FAILURE, token=writer.draw_token(resource))
        names = [ORG.name] * 3 + [REPOS.name] * 3
        assert heard() == [Announcement(name, n) for n, name in enumerate(names, 1)]
        assert store.pulse().changes == 6

    def test_come_when_the_new_version_can_be_read(
        self, redis: Redis, writer: EntryWriter, store: Store
    ) -> None:
        with redis.pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]
            pubsub.subscribe(keys.ANNOUNCE)
            version = stored(writer, ORG, PLAIN)
            while pubsub.get_message(timeout=60) is None:
                pass
            metadata = store.state(ORG).metadata
        assert metadata is not None
        assert metadata.version == version

    def test_name_the_resource_whatever_letters_it_has(
        self, writer: EntryWriter, heard: Callable[[], list[Announcement | None]]
    ) -> None:
        odd = Resource('/repos/a/b/contents/"x"\\é%F0', "q=%22")
        stored(writer, odd, PLAIN)
        assert heard() == [Announcement(odd.name, 1)]


class TestExpiry:
    """Tracked content never expires; other content expires when it is no longer requested."""

    def expiries(self, redis: Redis, resource: Resource) -> list[int]:
        return [redis.ttl(keys.entry(resource)), redis.ttl(keys.pages(resource))]

    def test_tracked_content_never_expires(self, redis: Redis, writer: EntryWriter) -> None:
        stored(writer, REPOS, RICH)
        assert self.expiries(redis, REPOS) == [-1, -1]
        writer.confirm(REPOS, RICH, KnownPages(), token=writer.draw_token(REPOS), now=NOW)
        assert self.expiries(redis, REPOS) == [-1, -1]

    def test_content_on_demand_expires_after_keep_and_lifetime(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        stored(writer, USER_VIEW, PLAIN)
        assert all(650 < left <= 660 for left in self.expiries(redis, USER_VIEW))

    def test_confirming_content_on_demand_begins_its_time_anew(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        stored(writer, USER_VIEW, PLAIN)
        redis.expire(keys.entry(USER_VIEW), 5)
        redis.expire(keys.pages(USER_VIEW), 5)
        writer.confirm(USER_VIEW, PLAIN, KnownPages(), token=writer.draw_token(USER_VIEW), now=NOW)
        assert all(650 < left <= 660 for left in self.expiries(redis, USER_VIEW))

    def test_each_kind_has_its_own_lifetime(self, writer: EntryWriter, store: Store) -> None:
        lifetimes = []
        for resource in (ORG, USER_VIEW):
            stored(writer, resource, PLAIN)
            metadata = store.state(resource).metadata
            assert metadata is not None
            lifetimes.append(metadata.fresh_until - NOW)
        assert lifetimes == [1000, 60]

    def test_what_other_settings_stored_expires_a_day_after_it_was_stored_last(
        self, redis: Redis, writer: EntryWriter
    ) -> None:
        stored(writer, ORG.other_form, PLAIN)
        assert self.expiries(redis, ORG.other_form) == [-1, -1]
        stored(writer, ORG, PLAIN)
        assert all(86_000 < left <= 86_400 for left in self.expiries(redis, ORG.other_form))
        assert self.expiries(redis, ORG) == [-1, -1]
        # Side by side in a rolling change: each keeps its own.
        other = ORG.other_form
        assert writer.confirm(other, PLAIN, KnownPages(), token=writer.draw_token(other), now=NOW)
        assert self.expiries(redis, other) == [-1, -1]


def test_what_is_stored_holds_json_only(redis: Redis, writer: EntryWriter) -> None:
    stored(writer, REPOS, RICH)
    meta = redis.hget(keys.entry(REPOS), "meta")
    assert json.loads(meta or b"")["schema"] == SCHEMA

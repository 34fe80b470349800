"""Damage to what is stored of a list: it is never served, and the next refresh repairs it."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest
from redis import Redis

from refresher.refresh import refresh
from shared.entry import Entry, manifests_from
from shared.outcomes import RefreshOutcome
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.store import Store
from tests.fakegithub.client import FakeGitHub
from tests.pieces import HeldPieces
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import REPOS, ManualClock

UPDATED, UNCHANGED = RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED
TTL = 1000
ENTRY, SEGMENTS, PAGES = keys.entry(REPOS), keys.segments(REPOS), keys.pages(REPOS)

Damage = Callable[[Redis], object]


class World:
    """A list that was read once; every refresh is one of a new process."""

    def __init__(self, github: FakeGitHub, make: MakeContext, redis: Redis) -> None:
        self.github = github
        self.redis = redis
        self.clock = ManualClock()
        self.store = Store(redis)
        self.queue = RefreshQueue(redis, limits=QueueLimits())
        self._make = make
        assert self.refresh() is UPDATED
        self.before = self.entry()
        self.clock.now += 100

    def refresh(self, **options: Any) -> RefreshOutcome:
        """Refresh the list."""
        context = self._make(self.github.url, clock=self.clock, cache_ttl=TTL)
        return refresh(REPOS, context, **options)

    def entry(self) -> Entry:
        """The entry as a reader loads it that holds none."""
        entry = self.store.read(REPOS)
        assert entry is not None
        return entry

    def is_whole(self) -> bool:
        """Whether a reader loads GitHub's list, and a reader that holds the one before, too."""
        found = self.entry()
        held = Store(self.redis, pieces=HeldPieces(self.before)).read(REPOS)
        assert held is not None
        state = self.store.state(REPOS)
        assert state.metadata is not None
        return (
            json.loads(bytes(found.body)) == self.github.repos()
            and gzip.decompress(bytes(found.encoded["gzip"])) == found.body
            and found.views.keys() == self.before.views.keys()
            and (held.body, held.encoded) == (found.body, found.encoded)
            and {one: bytes(view.body) for one, view in held.views.items()}
            == {one: bytes(view.body) for one, view in found.views.items()}
            and state.is_complete
            and self.redis.hlen(SEGMENTS) == state.metadata.segments
        )


@pytest.fixture
def world(three_page_github: FakeGitHub, context_for: MakeContext, redis: Redis) -> World:
    made = World(three_page_github, context_for, redis)
    assert made.is_whole()
    return made


def fields_of(redis: Redis, key: str) -> Mapping[bytes, bytes]:
    return cast(Mapping[bytes, bytes], redis.hgetall(key))


def a_segment(redis: Redis, array: str = "") -> bytes:
    """The name of the second segment of an array."""
    name = manifests_from(fields_of(redis, ENTRY))[array][1].name
    assert redis.hexists(SEGMENTS, name)
    return name


def flip(redis: Redis, key: str, field: bytes, place: int, bit: int = 0) -> None:
    """Change one bit of a value."""
    value = bytearray(cast(bytes, redis.hget(key, field)))
    value[place] ^= 1 << bit
    redis.hset(key, field, bytes(value))


def test_each_flipped_bit_of_a_segment_is_noticed(world: World, redis: Redis) -> None:
    """Also of what does not change the uncompressed bytes, but the joined gzip body."""
    name, held = a_segment(redis), world.before
    value = cast(bytes, redis.hget(SEGMENTS, name))
    ends = 8 + 4 * held.manifests[""][1].items
    places = [
        *range(ends + 2),
        *range(ends + 2, len(value), 101),
        *range(len(value) - 6, len(value)),
    ]
    for place in places:
        for bit in range(8):
            flip(redis, SEGMENTS, name, place, bit)
            assert world.store.read(REPOS) is None, (place, bit)
            flip(redis, SEGMENTS, name, place, bit)
    assert world.is_whole()


@pytest.mark.parametrize("field", [b"segments", b"view:stars:segments"])
def test_each_flipped_byte_of_a_manifest_is_noticed(
    world: World, redis: Redis, field: bytes
) -> None:
    """Also by a reader that holds all segments, and would not look them up."""
    holding = Store(redis, pieces=HeldPieces(world.before))
    for place in range(80):
        flip(redis, ENTRY, field, place)
        assert world.store.read(REPOS) is None
        assert holding.read(REPOS) is None
        flip(redis, ENTRY, field, place)
    assert world.is_whole()


def lose_segment(redis: Redis) -> None:
    redis.hdel(SEGMENTS, a_segment(redis))


def lose_all_segments(redis: Redis) -> None:
    redis.delete(SEGMENTS)


def store_text_as_segments(redis: Redis) -> None:
    redis.set(SEGMENTS, "damaged")


@pytest.mark.parametrize("damage", [lose_segment, lose_all_segments, store_text_as_segments])
def test_segments_that_are_gone_are_stored_again_by_the_next_refresh(
    world: World, redis: Redis, damage: Damage
) -> None:
    damage(redis)
    assert world.store.read(REPOS) is None
    held = Store(redis, pieces=HeldPieces(world.before)).read(REPOS)
    assert held is not None
    assert held.body == world.before.body
    state = world.store.state(REPOS)
    assert not state.is_complete
    assert not state.is_current(world.clock.now)
    assert world.refresh() is UPDATED
    assert world.is_whole()
    assert world.entry().metadata.etag == world.before.metadata.etag


def damage_segment(redis: Redis) -> None:
    flip(redis, SEGMENTS, a_segment(redis), -9)


def damage_segment_of_view(redis: Redis) -> None:
    name = manifests_from(fields_of(redis, ENTRY))["stars"][0].name
    flip(redis, SEGMENTS, name, -9)


def damage_manifest(redis: Redis) -> None:
    flip(redis, ENTRY, b"segments", 3)


def cut_manifest(redis: Redis) -> None:
    value = cast(bytes, redis.hget(ENTRY, "segments"))
    redis.hset(ENTRY, "segments", value[:-1])


def lose_manifest(redis: Redis) -> None:
    redis.hdel(ENTRY, "segments")


def damage_manifest_of_view(redis: Redis) -> None:
    flip(redis, ENTRY, b"view:forks:segments", 3)


UNSEEN = [
    damage_segment,
    damage_segment_of_view,
    damage_manifest,
    cut_manifest,
    lose_manifest,
    damage_manifest_of_view,
]


@pytest.mark.parametrize("damage", UNSEEN)
def test_damage_that_only_readers_see_is_repaired_by_a_refresh_that_reads_anew(
    world: World, redis: Redis, damage: Damage
) -> None:
    damage(redis)
    assert world.store.read(REPOS) is None
    world.queue.mark(REPOS, anew=True)
    assert world.refresh() is UPDATED
    assert world.is_whole()
    after = world.entry().metadata
    assert after.etag == world.before.metadata.etag
    assert after.changed_at == world.before.metadata.changed_at


@pytest.mark.parametrize("damage", UNSEEN)
def test_changes_are_written_in_spite_of_it(world: World, redis: Redis, damage: Damage) -> None:
    damage(redis)
    world.github.mutate("star", repo=3, by=5)
    world.queue.mark(REPOS)
    assert world.refresh() is UPDATED
    world.queue.mark(REPOS, anew=True)
    assert world.refresh() in {UPDATED, UNCHANGED}  # a damaged manifest is replaced at once
    assert world.is_whole()


def indexes_damaged(redis: Redis, place: int) -> None:
    for number in (1, 2, 3):
        flip(redis, PAGES, f"index:{number}".encode(), place)


@pytest.mark.parametrize(
    "places", [range(0, 20, 3), range(21, 40, 3), range(42, 60, 3), (150, 900, -1)]
)
def test_a_damaged_index_of_a_page_is_not_believed(
    world: World, redis: Redis, places: Sequence[int]
) -> None:
    """Whatever of it: an id, a digest, a number that a view shows."""
    for place in places:
        indexes_damaged(redis, place)
        for repo in (3, 120):
            world.github.mutate("star", repo=repo, by=5)
            world.queue.mark(REPOS)
            assert world.refresh() is UPDATED, (place, repo)
            assert world.is_whole(), (place, repo)


def lose_indexes(redis: Redis) -> None:
    redis.hdel(PAGES, "index:1", "index:2", "index:3")


def lose_bodies(redis: Redis) -> None:
    redis.hdel(PAGES, "1", "2", "3")


def damage_bodies(redis: Redis) -> None:
    for field in (b"1", b"2", b"3"):
        flip(redis, PAGES, field, 50)


def lose_pages(redis: Redis) -> None:
    redis.delete(PAGES)


def damage_ids(redis: Redis) -> None:
    flip(redis, PAGES, b"ids", 0)


def lose_rows(redis: Redis) -> None:
    redis.hdel(PAGES, "rows:1", "rows:2", "rows:3")


def damage_rows(redis: Redis) -> None:
    for field in (b"rows:1", b"rows:2", b"rows:3"):
        flip(redis, PAGES, field, 30)


def lose_lasts(redis: Redis) -> None:
    redis.hdel(PAGES, "lasts:stars", "lasts:watchers")


def damage_lasts(redis: Redis) -> None:
    for field in (b"lasts:stars", b"lasts:watchers", b"lasts:last_updated"):
        flip(redis, PAGES, field, 40)


PAGE_DAMAGE = [
    lose_indexes,
    lose_bodies,
    damage_bodies,
    lose_pages,
    damage_ids,
    lose_rows,
    damage_rows,
    lose_lasts,
    damage_lasts,
]


@pytest.mark.parametrize("damage", PAGE_DAMAGE)
@pytest.mark.parametrize("is_named", [False, True])
def test_pages_that_are_damaged_or_gone_are_read_again(
    world: World, redis: Redis, damage: Damage, is_named: bool
) -> None:
    """The body of an unchanged page is needed if a segment crosses its border."""
    damage(redis)
    for repo in (99, 100, 199):
        item = world.github.mutate("star", repo=repo, by=5)["id"]
        world.queue.mark(REPOS, item=item if is_named else None)
        assert world.refresh() is UPDATED
        assert world.is_whole()


@pytest.mark.parametrize("damage", PAGE_DAMAGE)
def test_no_field_stays_of_pages_that_a_list_has_no_longer(
    world: World, redis: Redis, damage: Damage
) -> None:
    damage(redis)
    for _ in range(50):
        world.github.mutate("delete", repo=0)
    world.queue.mark(REPOS)
    assert world.refresh() is UPDATED
    assert world.is_whole()
    numbers = {f"{prefix}{number}" for number in "12" for prefix in ("", "index:", "rows:")}
    lasts = {f"lasts:{ranking.name}" for ranking in REPOS.kind.rankings}
    assert {one.decode() for one in fields_of(redis, PAGES)} == {"heads", "ids"} | numbers | lasts

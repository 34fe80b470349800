from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.cache.local_cache import LocalCache, Usage
from shared.entry import Entry, Metadata
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from tests.builders import NOW, compressed, make_entry, make_list_entry, on_demand, tracked

ORG = tracked("/orgs/Netflix")
USER = on_demand("/users/mona")
USERS = [on_demand(f"/users/u{number}") for number in range(6)]
KEEP = 600.0  # seconds
SIZE = make_entry().held_bytes  # of each small entry


def never(metadata: Metadata, now: float) -> float:
    return now + 1000


def make_cache(
    room: int = 1000, next_check: Callable[[Metadata, float], float] = never
) -> LocalCache:
    """A cache with room for so many small entries."""
    return LocalCache(room * SIZE, keep=KEEP, next_check=next_check)


def held_entry(cache: LocalCache, resource: Resource) -> Entry | None:
    held = cache.peek(resource)
    return held.entry if held else None


@pytest.fixture(params=[ORG, USER], ids=["tracked", "on demand"])
def resource(request: pytest.FixtureRequest) -> Resource:
    assert isinstance(request.param, Resource)
    return request.param


def test_what_was_put_is_held(resource: Resource) -> None:
    cache, entry = make_cache(), make_entry()
    assert cache.put(resource, entry, NOW) is entry
    held = cache.get(resource, NOW)
    assert held is not None
    assert held.entry is entry
    assert held.check_at == NOW + 1000


def test_what_was_never_put_is_not(resource: Resource) -> None:
    cache = make_cache()
    assert cache.get(resource, NOW) is None
    assert cache.peek(resource) is None


@pytest.mark.parametrize("later", [{"confirmed_by": 2}, {"version": 2}])
def test_the_newest_wins_whichever_comes_first(resource: Resource, later: dict[str, float]) -> None:
    old, new = make_entry(), make_entry(b'{"new": 1}', **later)
    for order in ([old, new], [new, old]):
        cache = make_cache()
        for entry in order:
            cache.put(resource, entry, NOW)
        assert held_entry(cache, resource) is new


def test_who_puts_an_older_entry_is_given_the_newer(resource: Resource) -> None:
    cache, new = make_cache(), make_entry(version=2)
    cache.put(resource, new, NOW)
    assert cache.put(resource, make_entry(version=1), NOW) is new


def test_what_a_clock_ahead_stored_is_replaced_by_what_was_stored_later(resource: Resource) -> None:
    # A refresher of an older release whose own clock was an hour ahead for a moment.
    cache = make_cache()
    cache.put(resource, make_entry(validated_at=NOW + 3600, fresh_until=NOW + 4600), NOW)
    right = make_entry(version=2, validated_at=NOW - 1, fresh_until=NOW + 999)
    assert cache.put(resource, right, NOW) is right


def test_what_a_clock_behind_stored_replaces_what_was_stored_before(resource: Resource) -> None:
    cache = make_cache()
    cache.put(resource, make_entry(), NOW)
    behind = make_entry(version=2, validated_at=NOW - 3600, fresh_until=NOW - 2600)
    assert cache.put(resource, behind, NOW) is behind


def test_content_confirmed_later_replaces_a_greater_version(resource: Resource) -> None:
    # Redis came back from an older dump, and the origin was asked again since.
    cache = make_cache()
    cache.put(resource, make_entry(version=9), NOW)
    again = make_entry(version=1, confirmed_by=10)
    assert cache.put(resource, again, NOW) is again


def test_confirming_keeps_the_very_same_bytes(resource: Resource) -> None:
    cache, entry = make_cache(), compressed(make_list_entry(3))
    cache.put(resource, entry, NOW)
    known = replace(entry.metadata, confirmed_by=2, validated_at=NOW + 9, fresh_until=NOW + 99)
    cache.confirm(resource, known, NOW + 10)
    held = cache.peek(resource)
    assert held is not None
    assert held.entry.metadata == known
    assert held.entry.body is entry.body
    assert held.entry.encoded is entry.encoded
    assert held.entry.array is entry.array
    assert held.check_at == NOW + 1010


def test_confirming_what_is_known_keeps_the_very_same_entry(resource: Resource) -> None:
    cache, entry = make_cache(), make_entry()
    cache.put(resource, entry, NOW)
    cache.confirm(resource, entry.metadata, NOW + 10)
    held = cache.peek(resource)
    assert held is not None
    assert held.entry is entry
    assert held.check_at == NOW + 1010


def test_confirming_another_version_changes_nothing(resource: Resource) -> None:
    cache, entry = make_cache(), make_entry()
    cache.put(resource, entry, NOW)
    before = cache.peek(resource)
    cache.confirm(resource, replace(entry.metadata, version=2), NOW + 10)
    assert cache.peek(resource) is before


def test_confirming_does_not_go_back_to_an_earlier_token(resource: Resource) -> None:
    # The synchronizer checks; the refresher confirms; a request reads and puts; the synchronizer
    # confirms.
    cache, looked_at = make_cache(), make_entry().metadata
    newer = make_entry(confirmed_by=2, validated_at=NOW + 5, fresh_until=NOW + 1005)
    cache.put(resource, newer, NOW + 6)
    cache.confirm(resource, looked_at, NOW + 6)
    entry = held_entry(cache, resource)
    assert entry is not None
    assert entry.metadata == newer.metadata


def test_confirming_or_postponing_what_is_not_held_holds_nothing(resource: Resource) -> None:
    cache = make_cache()
    cache.confirm(resource, make_entry().metadata, NOW)
    cache.postpone(resource, NOW)
    assert cache.peek(resource) is None


def test_postponing_moves_nothing_but_the_next_look(resource: Resource) -> None:
    cache, entry = make_cache(), make_entry()
    cache.put(resource, entry, NOW)
    cache.postpone(resource, NOW + 5)
    held = cache.peek(resource)
    assert held is not None
    assert (held.check_at, held.asked_at) == (NOW + 5, NOW)
    assert held.entry is entry


def test_the_next_look_is_decided_by_the_metadata_and_the_time() -> None:
    seen: list[tuple[Metadata, float]] = []

    def next_check(metadata: Metadata, now: float) -> float:
        seen.append((metadata, now))
        return 0.0

    entry = make_entry()
    make_cache(next_check=next_check).put(ORG, entry, NOW)
    assert seen == [(entry.metadata, NOW)]


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    cache = make_cache(room=3)
    for at, user in enumerate(USERS[:3]):
        cache.put(user, make_entry(), NOW + at)
    cache.get(USERS[0], NOW + 3)
    cache.put(USERS[3], make_entry(), NOW + 4)
    assert cache.resources() == [USERS[2], USERS[0], USERS[3]]


def test_looking_after_an_entry_is_not_asking_for_it() -> None:
    cache = make_cache(room=3)
    for user in USERS[:3]:
        cache.put(user, make_entry(), NOW)
    cache.peek(USERS[0])
    cache.confirm(USERS[0], make_entry(validated_at=NOW + 1).metadata, NOW + 1)
    cache.postpone(USERS[0], NOW + 2)
    cache.put(USERS[0], make_entry(version=2, validated_at=NOW + 2), NOW + 2)
    cache.put(USERS[3], make_entry(), NOW + 3)
    assert cache.resources() == [USERS[1], USERS[2], USERS[3]]


def test_tracked_entries_are_never_evicted() -> None:
    cache = make_cache(room=0)
    large = make_entry(b"x" * 100_000)
    cache.put(ORG, large, NOW)
    cache.put(USER, make_entry(), NOW)
    assert held_entry(cache, ORG) is large
    assert cache.peek(USER) is None
    assert cache.on_demand_bytes == 0


def test_an_entry_that_is_not_kept_is_given_all_the_same() -> None:
    cache, entry = make_cache(room=0), make_entry()
    assert cache.put(USER, entry, NOW) is entry


def test_an_entry_too_large_to_be_held_does_not_push_out_the_others() -> None:
    cache = make_cache(room=3)
    cache.put(USERS[0], make_entry(), NOW)
    cache.put(USERS[1], make_entry(b"x" * 4 * SIZE), NOW)
    assert cache.resources() == [USERS[0]]


def test_replacing_an_entry_frees_the_bytes_of_the_one_before() -> None:
    cache = make_cache()
    cache.put(USER, make_entry(b"x" * 5000), NOW)
    small = make_entry(version=2)
    cache.put(USER, small, NOW)
    assert cache.on_demand_bytes == small.held_bytes


def test_what_nobody_asked_for_is_dropped() -> None:
    cache = make_cache()
    cache.put(ORG, make_entry(), NOW)
    for at, user in enumerate(USERS[:4]):
        cache.put(user, make_entry(), NOW + at)
    cache.get(USERS[0], NOW + 10)
    cache.drop_unasked(NOW + 3 + KEEP)
    assert set(cache.resources()) == {ORG, USERS[0], USERS[3]}
    assert cache.on_demand_bytes == 2 * SIZE


def test_dropping_everything_leaves_no_bytes() -> None:
    cache = make_cache()
    for user in USERS:
        cache.put(user, make_entry(), NOW)
    cache.drop_unasked(NOW + 1 + KEEP)
    assert cache.resources() == []
    assert cache.on_demand_bytes == 0


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "get", "confirm", "postpone", "drop"]),
        st.sampled_from([ORG, *USERS]),
        st.integers(0, 4),
    ),
    max_size=40,
)


@given(steps)
def test_bytes_stay_bounded_and_counted_whatever_happens(
    done: list[tuple[str, Resource, int]],
) -> None:
    cache = make_cache(room=4)
    for at, (step, resource, number) in enumerate(done):
        now = NOW + at
        entry = make_entry(b"x" * number * 2000, version=number)
        match step:
            case "put":
                cache.put(resource, entry, now)
            case "get":
                cache.get(resource, now)
            case "confirm":
                cache.confirm(resource, entry.metadata, now)
            case "postpone":
                cache.postpone(resource, now)
            case "drop":
                cache.drop_unasked(now - number + KEEP)
        entries = [held_entry(cache, one) for one in cache.resources() if not one.tracked]
        assert cache.on_demand_bytes == sum(one.held_bytes for one in entries if one)
        assert cache.on_demand_bytes <= 4 * SIZE


class TestForget:
    """What is not to be served any more is let go."""

    @pytest.mark.parametrize(("version", "stays"), [(1, False), (2, False), (3, True)])
    def test_takes_versions_up_to_the_one_that_was_forgotten(
        self, version: int, *, stays: bool
    ) -> None:
        cache = make_cache()
        cache.put(USER, make_entry(version=version), NOW)
        before = cache.generation
        cache.forget(USER, 2)
        assert (cache.peek(USER) is not None) is stays
        assert cache.on_demand_bytes == (SIZE if stays else 0)
        assert (cache.generation > before) is not stays  # so the front makes its answers anew

    def test_leaves_all_others_and_what_is_tracked(self) -> None:
        cache = make_cache()
        for one in (ORG, *USERS):
            cache.put(one, make_entry(), NOW)
        cache.forget(ORG, 9)
        cache.forget(USERS[0], 9)
        cache.forget(USER, 9)  # not held
        assert set(cache.resources()) == {ORG, *USERS[1:]}
        assert cache.on_demand_bytes == SIZE * (len(USERS) - 1)

    def test_lets_a_newer_version_be_put(self) -> None:
        cache, newer = make_cache(), make_entry(version=3)
        cache.put(USER, make_entry(), NOW)
        cache.forget(USER, 2)
        assert cache.put(USER, newer, NOW) is newer


Acts = list[tuple[str, int, int]]
acts = st.lists(
    st.tuples(st.sampled_from(["put", "forget", "drop"]), st.integers(0, 6), st.integers(1, 4)),
    max_size=30,
)


@given(acts)
def test_usage_is_the_sum_of_what_is_held_whatever_came_before(done: Acts) -> None:
    cache = make_cache(room=4)
    for at, (act, which, number) in enumerate(done):
        resource = [ORG, *USERS][which]
        if act == "put":
            cache.put(
                resource, make_entry(b"x" * number, version=number, validated_at=NOW + at), NOW + at
            )
        elif act == "forget":
            cache.forget(resource, number)
        else:
            cache.drop_unasked(NOW + at - number + KEEP)
    held = [found for one in cache.resources() if (found := cache.peek(one)) is not None]
    sizes = {
        is_tracked: [one.entry.held_bytes for one in held if one.resource.tracked is is_tracked]
        for is_tracked in (True, False)
    }
    assert cache.usage() == tuple(Usage(len(sizes[one]), sum(sizes[one])) for one in (True, False))


def test_an_entry_is_due_when_its_time_has_come(resource: Resource) -> None:
    cache = make_cache()
    cache.put(resource, make_entry(), NOW)
    held = cache.peek(resource)
    assert held is not None
    assert [held.is_due(NOW + later) for later in (0, 999, 1000)] == [False, False, True]


def test_an_entry_is_due_when_the_clock_was_set_back(resource: Resource) -> None:
    cache = make_cache()
    cache.put(resource, make_entry(), NOW + 3600)
    held = cache.peek(resource)
    assert held is not None
    assert held.is_due(NOW)
    cache.postpone(resource, NOW + 1)  # it was checked in vain
    held = cache.peek(resource)
    assert held is not None
    assert not held.is_due(NOW)
    assert held.is_due(NOW + 1)


def test_a_path_of_track_that_could_not_be_read_is_not_missed_for_ever() -> None:
    named = Catalogue(("Netflix",), track=("/users/a",)).tracked[-1]
    local = make_cache()
    assert local.missing([named, ORG]) == [named, ORG]
    for resource in (named, ORG):
        local.note_tried(resource)
    assert local.missing([named, ORG]) == [ORG]

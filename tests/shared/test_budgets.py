"""What is left of GitHub's limits, and its history: bounded, of the last hours only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from shared import budgets
from shared.budgets import (
    SLOT_SECONDS,
    SLOTS,
    CredentialBudget,
    Point,
    is_beside,
    name_of,
    points,
    slot_at,
)
from shared.redis import keys
from tests.builders import NOW

ID = "0123456789ab"
RESET = NOW + 1000

times = st.integers(0, 400 * SLOT_SECONDS).map(lambda seconds: NOW + seconds)
noted = st.lists(st.tuples(times, st.integers(0, 5000)), max_size=200)


def ring(written: list[tuple[float, int]]) -> dict[bytes, bytes]:
    """The hash after each moment's number was written into its slot, as refreshers do."""
    kept: dict[bytes, bytes] = {}
    for at, remaining in written:
        slot = slot_at(at)
        kept[b"%d" % (slot % SLOTS)] = b"%d %d" % (slot, remaining)
    return kept


def know(redis: Redis, credential: str = ID, resource_class: str = "core", **known: object) -> None:
    """Store a budget as refreshers do."""
    fields = {"limit": 5000, "remaining": 4000, "reset": RESET, **known}
    redis.hset(keys.budget(credential, resource_class), mapping=fields)  # type: ignore[arg-type]
    redis.zadd(keys.BUDGETS, {name_of(credential, resource_class): NOW})


@given(noted)
def test_a_ring_never_has_more_points_than_slots_nor_one_of_an_earlier_turn(
    written: list[tuple[float, int]],
) -> None:
    written.sort(key=lambda pair: pair[0])  # time goes on
    now = max([NOW, *(at for at, _ in written)])
    found = points(ring(written), now=now)
    last = {slot_at(at): remaining for at, remaining in written}
    assert found == [
        Point(float(slot * SLOT_SECONDS), remaining)
        for slot, remaining in sorted(last.items())
        if slot > slot_at(now) - SLOTS
    ]
    assert len(found) <= SLOTS


@given(noted, st.integers(0, 200 * SLOT_SECONDS))
def test_the_ring_is_bounded_and_in_order_whatever_the_clock_did(
    written: list[tuple[float, int]], later: int
) -> None:
    found = points(ring(written), now=NOW + later)
    assert len(found) <= SLOTS
    assert [point.at for point in found] == sorted({point.at for point in found})
    assert all(point.at > NOW + later - SLOTS * SLOT_SECONDS - SLOT_SECONDS for point in found)


def test_a_slot_that_was_not_used_in_this_turn_shows_nothing() -> None:
    history = ring([(NOW, 100), (NOW + SLOT_SECONDS, 90)])
    full_turn = NOW + SLOTS * SLOT_SECONDS
    at = slot_at(NOW) * float(SLOT_SECONDS)
    assert points(history, now=full_turn - 1) == [Point(at, 100), Point(at + SLOT_SECONDS, 90)]
    assert points(history, now=full_turn) == [Point(at + SLOT_SECONDS, 90)]
    assert points(history, now=full_turn + SLOT_SECONDS) == []


def test_nothing_is_known_of_an_empty_redis(redis: Redis) -> None:
    assert budgets.read(redis, now=NOW) == []


def test_a_whole_budget(redis: Redis) -> None:
    know(redis)
    redis.hset(keys.budget_history(ID, "core"), mapping=ring([(NOW - 301, 5), (NOW, 4000)]))  # type: ignore[arg-type]
    redis.hset(keys.credential(ID), mapping={"scopes": "repo", "expires": "2027-02-01 UTC"})
    redis.hset(keys.aside(ID), mapping={"at": NOW, "until": NOW + 600})
    redis.hset(
        keys.privileges(ID),
        mapping={"may push": NOW - 9, "has the scope repo": NOW, "seen long ago": NOW - 86401},
    )
    slot = slot_at(NOW) * float(SLOT_SECONDS)
    assert budgets.read(redis, now=NOW) == [
        CredentialBudget(
            credential=ID,
            resource_class="core",
            limit=5000,
            remaining=4000,
            resets_at=RESET,
            aside_until=NOW + 600,
            aside_since=NOW,
            scopes="repo",
            expires="2027-02-01 UTC",
            history=[Point(slot - 2 * SLOT_SECONDS, 5), Point(slot, 4000)],
            privileges=["has the scope repo", "may push"],
        )
    ]


def test_unreported_values_are_unknown(redis: Redis) -> None:
    know(redis, "anonymous")
    redis.hset(keys.credential("anonymous"), mapping={"status": "200", "expires": ""})
    (found,) = budgets.read(redis, now=NOW)
    assert (found.scopes, found.expires, found.aside_until, found.history) == (None, None, 0, [])
    assert found.privileges == []


def test_no_scopes_is_not_the_same_as_unknown_scopes(redis: Redis) -> None:
    know(redis)
    redis.hset(keys.credential(ID), mapping={"scopes": ""})
    (found,) = budgets.read(redis, now=NOW)
    assert found.scopes == ""


def test_each_credential_has_its_own_privileges(redis: Redis) -> None:
    know(redis, "a")
    know(redis, "a", "search")
    know(redis, "b")
    redis.hset(keys.privileges("a"), "has the scope repo", str(NOW))
    found = budgets.read(redis, now=NOW)
    assert [one.privileges for one in found] == [["has the scope repo"]] * 2 + [[]]


def test_the_anonymous_budget_is_beside_others_where_there_are_any() -> None:
    none, token = (CredentialBudget(name, "core", 60, 60, 0) for name in ("anonymous", "a"))
    assert is_beside(none, [none, token])
    assert not is_beside(token, [none, token])
    assert not is_beside(none, [none])


def test_each_budget_has_its_own_and_they_are_in_order(redis: Redis) -> None:
    for credential, resource_class, remaining in (("b", "core", 3), ("a", "z", 2), ("a", "b", 1)):
        know(redis, credential, resource_class, remaining=remaining)
    found = budgets.read(redis, now=NOW)
    assert [(one.credential, one.resource_class, one.remaining) for one in found] == [
        ("a", "b", 1),
        ("a", "z", 2),
        ("b", "core", 3),
    ]


@pytest.mark.parametrize(
    ("now", "remaining"), [(RESET - 0.1, 7), (RESET, 5000), (RESET + 9999, 5000)]
)
def test_when_the_hour_is_over_all_is_left(redis: Redis, now: float, remaining: int) -> None:
    know(redis, remaining=7)
    assert [one.remaining for one in budgets.read(redis, now=now)] == [remaining]


def test_a_negative_rest_is_0(redis: Redis) -> None:
    know(redis, remaining=-3)
    assert [one.remaining for one in budgets.read(redis, now=NOW)] == [0]


def test_a_budget_that_expired_is_not_exhausted(redis: Redis) -> None:
    """It is kept for two hours, its name and its history for seven."""
    know(redis)
    redis.delete(keys.budget(ID, "core"))
    assert budgets.read(redis, now=NOW + 3 * 3600) == []


@pytest.mark.parametrize("damage", [b"", b"x", b"\xff"])
def test_a_damaged_name_of_a_budget_is_left_out(redis: Redis, damage: bytes) -> None:
    know(redis)
    redis.zadd(keys.BUDGETS, {damage: NOW})
    assert len(budgets.read(redis, now=NOW)) == len(budgets.read_left(redis, now=NOW)) == 1


def test_damaged_texts_are_no_error(redis: Redis) -> None:
    know(redis)
    redis.hset(keys.credential(ID), items=["scopes", b"\xff", "expires", b"\xff"])
    redis.hset(keys.privileges(ID), b"\xff", NOW)
    redis.hset(keys.budget_history(ID, "core"), "1", b"\xff")
    (budget,) = budgets.read(redis, now=NOW)
    assert (budget.scopes, budget.expires, budget.history) == ("\ufffd", "\ufffd", [])

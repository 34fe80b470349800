"""Damaged values are mended, and nothing else is touched."""

import pytest
from redis import Redis

from refresher.storage import mending
from refresher.storage.mending import Mender
from shared import measures, mended
from shared.key_table import FORMS
from shared.measures import Measure
from shared.mended import Damage
from shared.queue_order import Priority
from shared.queueing import QUEUE, QueueLimits, RefreshQueue, RefreshRequest
from shared.redis import keys
from tests.damaged_system import damage
from tests.refresher.workbench import ORG, REPOS, USER_VIEW

NOW = 1_800_000_000.0
KEEP = 660.0


@pytest.fixture
def mender(redis: Redis) -> Mender:
    return Mender(redis, keep=KEEP, now=lambda: NOW)


@pytest.mark.parametrize("wrong", ["string", "list", "hash", "set", "zset", "stream"])
def test_values_of_every_other_type_are_removed(redis: Redis, mender: Mender, wrong: str) -> None:
    wanted = {}
    for form in FORMS:
        key = form.name.replace("*", REPOS.id)
        damage(redis, key, wrong)
        wanted[key] = form.type == wrong
    mender.mend_all()
    kept = {key: bool(redis.exists(key)) for key in wanted if key != keys.MENDED}
    kept.pop(keys.MEASURES)  # what was mended is counted there
    assert kept == {key: stays for key, stays in wanted.items() if key in kept}


def test_what_is_as_it_should_be_or_not_ours_stays(redis: Redis, mender: Mender) -> None:
    redis.hset(keys.entry(REPOS), "a", "b")
    redis.set(keys.asked(REPOS), 1, px=900)
    redis.set("rq:suspended", 1)
    redis.set("rq:queue:of-others", "text")
    redis.set("elsewhere", 1)
    assert mender.mend_all() == []
    left = redis.pttl(keys.asked(REPOS))
    assert left == -2 or 0 <= left <= 900  # on a busy machine it may be over
    assert redis.exists("rq:suspended", "rq:queue:of-others", "elsewhere") == 3
    assert not redis.exists(keys.MENDED)


def test_only_content_on_demand_gets_an_expiry(redis: Redis, mender: Mender) -> None:
    for one in (REPOS, USER_VIEW):
        redis.hset(keys.entry(one), "a", "b")
    mender.mend_all()  # without a record of what is tracked, anything may be
    assert redis.ttl(keys.entry(USER_VIEW)) == -1
    redis.zadd(keys.TRACKED, {REPOS.id: NOW})
    (found,) = mender.mend_all()
    assert (found.key, found.damage) == (f"{keys.PREFIX}:entry:*", Damage.EXPIRY)
    assert redis.ttl(keys.entry(REPOS)) == -1
    assert KEEP - 60 < redis.ttl(keys.entry(USER_VIEW)) <= KEEP


def test_records_of_jobs_that_were_lost_with_the_queue_expire(redis: Redis, mender: Mender) -> None:
    """And neither those of queued ones, nor those of other programs."""
    queue = RefreshQueue(redis, QueueLimits(queued=10))
    for one in (ORG, REPOS):
        queue.ask(RefreshRequest(one, Priority.STALE))
    others = "rq:job:0d1e4c1a-5f6e-4b2a-9a51-6c8f6f1d2b3c"
    redis.hset(others, "data", "of another program")
    mender.mend_all()
    found = [key for key in redis.scan_iter("rq:job:*") if key.decode() != others]
    assert [redis.ttl(key) for key in found] == [-1, -1]
    executions = f"rq:executions:{REPOS.id}-{ORG.id}"  # lost with RQ's registry
    redis.zadd(executions, {"one": NOW})
    redis.zadd("rq:executions:of-another-program", {"one": NOW})
    redis.delete(f"rq:queue:{QUEUE}", keys.PLACES)
    assert mender.mend_all() == []
    assert all(0 < redis.ttl(key) <= 24 * 3600 for key in [*found, executions])
    assert redis.ttl(others) == redis.ttl("rq:executions:of-another-program") == -1


def test_it_is_told_of_without_ids(redis: Redis, mender: Mender) -> None:
    redis.set(keys.waits("192.0.2.1"), "damaged", px=60_000)
    mender.mend_all()
    (told,) = mended.read(redis)
    assert told.words == f"{keys.PREFIX}:waits:* held a string"
    assert told.at == NOW
    assert measures.read(redis).of(Measure.MENDED) == {("type",): 1}
    redis.lpush(
        keys.MENDED, b"\xff", "null", '{"at": 1e999, "key": "", "found": "", "damage": "type"}'
    )
    assert mended.read(redis) == (told,)


def test_a_refresh_mends_its_own_keys_first(redis: Redis, mender: Mender) -> None:
    redis.set(keys.record(REPOS), "damaged")
    redis.set(keys.record(ORG), "damaged")
    assert mender.mend_for(REPOS)
    assert redis.exists(keys.record(REPOS), keys.record(ORG)) == 1
    assert mender.mend_for(REPOS)  # nothing of it is damaged: all keys are looked at
    assert not redis.exists(keys.record(ORG))
    assert not mender.mend_for(REPOS)


def test_one_process_looks_at_all_keys_once_a_minute_and_sooner_if_one_was_met(
    redis: Redis, mender: Mender, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Mender(redis, keep=KEEP, now=lambda: NOW)
    redis.set(keys.record(REPOS), "damaged")
    mender.step(is_met=False)
    assert not redis.exists(keys.record(REPOS))
    redis.set(keys.record(REPOS), "damaged")
    redis.set(keys.PLACES, "damaged")
    for one in (mender, other):
        one.step(is_met=False)
    assert redis.exists(keys.record(REPOS), keys.PLACES) == 2
    other.step(is_met=True)  # of the keys of which there is one, at once
    assert redis.exists(keys.record(REPOS), keys.PLACES) == 1
    monkeypatch.setattr(mending, "_SOON_S", 0.0)  # as if some seconds had passed
    other.step(is_met=False)
    assert not redis.exists(keys.record(REPOS))

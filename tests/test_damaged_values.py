"""Whatever value in Redis is damaged: nobody's answer is an error, and it is mended by itself."""

import time
from collections.abc import Iterator, Sequence
from unittest.mock import patch

import pytest

from shared.key_table import FORMS, KeyForm, Type
from shared.redis import keys
from tests.damaged_system import System, damage, make_unreadable, running
from tests.refresher.workbench import MEMBERS, ORG, REPOS, USER_VIEW
from tests.waiting import eventually


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """One fleet for all."""
    with running() as made:
        yield made


def another_type(form: KeyForm, number: int) -> Type:
    """Another type than the form's; all types have their turn."""
    types = [one for one in Type if one is not form.type]
    return types[number % len(types)]


def key_of(system: System, form: KeyForm) -> str:
    return next(iter(system.keys_of(form)), form.name.replace("*", REPOS.id))


def versions(system: System) -> list[int]:
    held = (system.reader.start().local.peek(one) for one in (ORG, MEMBERS))
    return [one.entry.metadata.version for one in held if one is not None]


def check_everything(system: System) -> None:
    """Serving, misses, events, the status page and metrics; then nothing unexpected was logged."""
    for resource in (ORG, MEMBERS, REPOS):
        system.body(resource)
    system.look()
    system.miss()
    system.event()
    system.look()
    unexpected, system.errors.unexpected = system.errors.unexpected, []
    assert not unexpected, "\n".join(unexpected)


# Several at a time, those of different modules: whatever is wrong with one must not hide another.
GROUPS = [FORMS[at :: -(-len(FORMS) // 4)] for at in range(-(-len(FORMS) // 4))]


def names(forms: Sequence[KeyForm]) -> str:
    return " ".join(form.name.removeprefix(f"{keys.PREFIX}:") for form in forms)


@pytest.mark.parametrize("forms", GROUPS, ids=names)
def test_values_of_another_type_are_mended_and_disturb_nobody(
    system: System, forms: Sequence[KeyForm]
) -> None:
    before = versions(system)
    damaged = {key_of(system, form): form for form in forms}
    for key, form in damaged.items():
        damage(system.redis, key, another_type(form, FORMS.index(form)))
    check_everything(system)
    for key, form in damaged.items():
        found = {form.type.encode(), b"none"}
        eventually(lambda: system.redis.type(key) in found, every=0.02, what=key)  # noqa: B023
    assert versions(system) == before


@pytest.mark.parametrize("forms", GROUPS, ids=names)
def test_values_that_nobody_can_read_disturb_nobody(
    system: System, forms: Sequence[KeyForm]
) -> None:
    before = versions(system)
    damaged = {key_of(system, form): form for form in forms}
    for key, form in damaged.items():
        make_unreadable(system.redis, key, form)
    try:
        check_everything(system)
    finally:  # what is left of it must not disturb the next ones
        for key in damaged:
            system.remove_unreadable(key)
    assert versions(system) == before


def test_values_that_have_lost_their_expiry_get_one(system: System) -> None:
    """Also marks that would hold a resource back for ever: a lock, a claim, a rest."""
    expiring = [form for form in FORMS if form.kept]
    found = [key_of(system, form) for form in expiring]
    for key, form in zip(found, expiring, strict=True):
        if not system.redis.exists(key):
            damage(system.redis, key, form.type)
        system.redis.persist(key)
    for key in found:
        eventually(lambda: system.redis.ttl(key) != -1, every=0.02, what=key)  # noqa: B023
    system.redis.zadd(keys.TRACKED, {one.id: time.time() for one in (ORG, MEMBERS, REPOS)})
    tracked, on_demand = keys.entry(REPOS), keys.entry(USER_VIEW)
    assert system.redis.ttl(tracked) == -1
    system.redis.persist(on_demand)
    eventually(lambda: system.redis.ttl(on_demand) != -1, every=0.02)
    for key in found:
        system.remove_unreadable(key)
    check_everything(system)


def test_what_was_mended_is_told_of(system: System) -> None:
    """On the status page, by `doctor` and in the metrics; without ids."""
    key = system.keys_of(form_named("record:*"))[0]
    damage(system.redis, key, Type.LIST)
    eventually(lambda: not system.redis.exists(key) or system.redis.type(key) == b"hash")
    title = "Damaged values in Redis were mended"
    (told,) = eventually(
        lambda: [one["text"] for one in system.look()["statements"] if one["title"] == title]
    )
    assert "record:* held a list" in told
    assert REPOS.id not in told
    doctor = system.app.test_cli_runner().invoke(args=["cache", "doctor"])
    assert title in " ".join(doctor.output.split())
    counted = system.get("/metrics").text.partition('mended_values_total{damage="type"} ')[2]
    assert float(counted.split()[0]) >= 1


def form_named(name: str) -> KeyForm:
    return next(form for form in FORMS if form.name == f"{keys.PREFIX}:{name}")


def test_what_is_damaged_now_is_named_and_hides_nothing_else(system: System) -> None:
    """Until a refresher has mended it, or while none runs."""
    with patch("refresher.storage.mending.Mender.mend", lambda *_: []):
        damage(system.redis, keys.BUDGETS, Type.STRING)
        damage(system.redis, "rq:workers", Type.STRING)
        page = system.look()
        (told,) = [one["text"] for one in page["statements"] if "is damaged" in one["title"]]
        assert "budgets" in told
        assert page["readers"]
        doctor = system.app.test_cli_runner().invoke(args=["cache", "doctor"])
        assert "A value in Redis is damaged" in " ".join(doctor.output.split())
        assert "RQ's queues" in " ".join(doctor.output.split())
        assert doctor.exit_code in {0, 1}
    check_everything(system)

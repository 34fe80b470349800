import re
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.redis import keys
from shared.resources.resource import Resource
from shared.stored_form import SCHEMA
from tests.builders import CATALOGUE, on_demand

CHECKOUT = Path(__file__).parents[3]
# The prefix, spelled out or with the schema put in.
PREFIX = re.compile(r"api-read-cache:[\d{]")
FUNCTIONS = [
    keys.entry, keys.pages, keys.failure, keys.fence, keys.lock_name, keys.lock, keys.asked,
    keys.queued,
]  # fmt: skip


def test_no_other_module_holds_the_prefix() -> None:
    sources = [
        path
        for part in ("shared", "reader", "refresher")
        for path in (CHECKOUT / part).rglob("*.py")
    ]
    holding = {path.name for path in sources if PREFIX.search(path.read_text(encoding="utf-8"))}
    assert holding == {"keys.py"}


def test_no_two_things_of_any_resources_share_a_key() -> None:
    resources = [*CATALOGUE.tracked, on_demand("/users/a"), on_demand("/users/a?page=2")]
    made = [key(resource) for key in FUNCTIONS for resource in resources]
    made += [keys.CHANGES, keys.ANNOUNCE]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("file", ["deploy/redis/users.acl", "docs/redis.md"])
def test_rules_for_redis_users_name_the_schema_of_now(file: str) -> None:
    named = re.findall(r"api-read-cache:(\d+):", (CHECKOUT / file).read_text(encoding="utf-8"))
    assert set(named) == {str(SCHEMA)}


@pytest.mark.parametrize("key", FUNCTIONS)
def test_every_key_holds_the_schema_and_the_id(key: Callable[[Resource], str]) -> None:
    resource = on_demand("/users/a")
    assert f"api-read-cache:{SCHEMA}:" in key(resource)
    assert key(resource).endswith(f":{resource.id}")


def test_the_lock_is_where_pottery_keeps_it() -> None:
    resource = on_demand("/users/a")
    assert keys.lock(resource) == f"redlock:{keys.lock_name(resource)}"

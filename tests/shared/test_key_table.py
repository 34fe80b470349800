"""The table of keys is the one in `keys`, and finds the form of each key."""

import inspect
import re
from typing import get_type_hints

import pytest

from shared.key_table import FORMS, OUR_FORMS, form_of
from shared.redis import keys
from shared.resources.resource import Resource
from tests.builders import CATALOGUE

RESOURCE = CATALOGUE.tracked[0]
PUBLISHED = {"announce"}  # a channel, which holds nothing
CHUNK = re.compile(r"^(\S+)\s+(string|hash|list|set|zset|stream|channel)\s", re.MULTILINE)


def documented() -> dict[str, str]:
    """The keys in the docstring of `keys`, with `*` for each id, and their types."""
    table = (keys.__doc__ or "").split("===================  ======")[2]
    rows: dict[str, str] = {}
    name, kind, continued = "", "", ""
    for line in [*table.splitlines(), "end  string  "]:
        found = CHUNK.match(line)
        if found:
            if name:
                rows[re.sub(r"\{[^}]*\}", "*", name)] = kind
            name, kind = found[1], found[2]
        else:
            continued = line[:21].strip() if line[:1].strip() else ""
            name += continued
    return rows


def test_it_has_the_keys_and_the_types_of_the_documentation() -> None:
    ours = {one.name.removeprefix(f"{keys.PREFIX}:"): str(one.type) for one in OUR_FORMS}
    told = {name: kind for name, kind in documented().items() if name not in PUBLISHED}
    told.pop("redlock:...lock:*")
    assert ours == told


def made() -> list[str]:
    """A key of each constant and of each function of `keys`."""
    found = []
    for name, value in vars(keys).items():
        if name.isupper() and name not in {"SCHEMA", "PREFIX", "ANNOUNCE", "ENTRIES"}:
            lane = "on-demand:stale" if name == "ORDER" else "on-demand"
            found.append(value + lane if value.endswith(":") else value)
        if inspect.isfunction(value) and value.__module__ == keys.__name__:
            hints = get_type_hints(value)
            returned = hints.pop("return")
            arguments = {
                name: RESOURCE if kind is Resource else 1 if kind is int else RESOURCE.id
                for name, kind in hints.items()
            }
            result = value(**arguments)
            found += result if returned is not str else [result] * (name != "lock_name")
    return found


@pytest.mark.parametrize("key", sorted(set(made())))
def test_each_key_that_can_be_made_has_a_form(key: str) -> None:
    assert form_of(key) is not None


def test_ids_with_colons_do_not_mislead() -> None:
    names = {
        "waits:2001:db8::1": "waits:*",
        "reader:a.test:5000/7": "reader:*",
        "redelivery:hook:/orgs/a/hooks/1": "redelivery:hook:*",
        "turns:on-demand:count": "turns:*:count",
        "turns:on-demand": "turns:*",
        "drift:turn": "drift:turn",
        "invalidated:0a:looks": "invalidated:*:looks",
    }
    for name, form in names.items():
        found = form_of(f"{keys.PREFIX}:{name}")
        assert found is not None, name
        assert found.name == f"{keys.PREFIX}:{form}"


def test_what_is_not_ours_has_none() -> None:
    for key in ("rq:suspended", "rq:queue:other", "rq:job:a:dependents", "x", "api-read-cache:2:x"):
        assert form_of(key) is None
    assert len({one.name for one in FORMS}) == len(FORMS)

"""Each example payload that Octokit publishes: what it touches, and that the endpoint takes it.

The examples are fetched when first needed (MIT, `@octokit/webhooks-examples`). What they touch is
in `touched.json`, which this makes anew:

    python -m tests.reader.webhooks.test_examples
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from reader.webhooks.affected_resources import affected
from reader.webhooks.touched_scopes import TABLE, touched_scopes
from shared.redis import keys
from shared.resources.catalogue import Catalogue
from tests.npm import NodeMissing, check_lock, install
from tests.reader.webhooks.test_receiver import NEW, deliver, sign

_FOLDER = Path(__file__).with_name("examples")
_GOLDEN = Path(__file__).with_name("touched.json")
CATALOGUE = Catalogue(("Octo-Org", "Codertocat"))
Payload = dict[str, Any]
_ODD: tuple[Any, ...] = (None, True, 7, -1.5, "odd", [], [{}], {})


@cache
def load() -> list[tuple[str, Payload]]:
    """All examples, in the package's order: event and payload."""
    package = install(_FOLDER) / "@octokit" / "webhooks-examples"
    events = json.loads((package / "api.github.com" / "index.json").read_text())
    return [(event["name"], payload) for event in events for payload in event["examples"]]


@pytest.fixture
def examples() -> list[tuple[str, Payload]]:
    try:
        return load()
    except NodeMissing as missing:
        pytest.skip(f"NO EXAMPLE IS TRIED HERE: {missing}")


def golden_of(examples: list[tuple[str, Payload]]) -> Iterator[dict[str, Any]]:
    """What each example touches."""
    for event, payload in examples:
        tracked = affected(event, payload, CATALOGUE)
        yield {
            "event": " ".join([event, *filter(None, [payload.get("action")])]),
            "tracked": [one.resource.name for one in tracked],
            "touched": touched_scopes(event, payload, include_private=False),
        }


def test_the_lock_file_pins_the_examples() -> None:
    check_lock(_FOLDER)


def test_what_each_example_touches_is_known(examples: list[tuple[str, Payload]]) -> None:
    assert len(examples) == 329
    assert list(golden_of(examples)) == json.loads(_GOLDEN.read_text())


def test_every_event_with_an_example_is_in_the_table(
    examples: list[tuple[str, Payload]],
) -> None:
    assert {event for event, _ in examples} <= set(TABLE)


def test_the_endpoint_takes_every_example(
    examples: list[tuple[str, Payload]], make_app: Any, redis: Redis
) -> None:
    client = make_app(github_webhook_secret=NEW).test_client()
    for number, (event, payload) in enumerate(examples):
        body = json.dumps(payload).encode()
        answered = deliver(
            client,
            body,
            X_GitHub_Event=event,
            X_GitHub_Delivery=f"example-{number}",
            X_Hub_Signature_256=sign(body),
        )
        assert answered.status_code == 202, (event, answered.data)
    assert redis.zcard(keys.EVENTS) > 100


def test_any_of_them_may_be_damaged_anywhere(examples: list[tuple[str, Payload]]) -> None:
    for event, payload in examples[::10]:
        for damaged in _damaged(payload):
            touched_scopes(event, damaged, include_private=True)
            affected(event, damaged, CATALOGUE)


def _damaged(payload: Payload) -> Iterator[Payload]:
    """The payload with each member of its two upper levels replaced by something odd."""
    for name, value in payload.items():
        for odd in _ODD:
            yield payload | {name: odd}
            for inner in value if isinstance(value, dict) else ():
                yield payload | {name: value | {inner: odd}}


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(one, sort_keys=True) for one in golden_of(load()))
    _GOLDEN.write_text(f"[\n{lines}\n]\n")

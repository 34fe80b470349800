"""The example of docs/changes.md for browsers, in a browser."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from shared.redis import keys
from tests.builders import on_demand
from tests.end_to_end.fleet import CHECKOUT, Fleet, Reader

if TYPE_CHECKING:
    from playwright.sync_api import Page

USER = on_demand("/users/a")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("changes"), "http://127.0.0.1:9") as running:
        yield running


@pytest.fixture(scope="module")
def reader(fleet: Fleet) -> Reader:
    return fleet.reader(WEB_CONCURRENCY=1)


def example() -> str:
    text = (CHECKOUT / "docs" / "changes.md").read_text(encoding="utf-8")
    found = re.search(r"```js\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def tell(redis: Redis, etag: str) -> None:
    fields = {"resource": USER.name, "form": USER.form, "version": 1, "asked_at": 1, "etag": etag}
    redis.xadd(keys.FEED_ON_DEMAND, {"event": json.dumps(fields)})


def test_a_browser_follows_from_another_origin_and_goes_on_after_a_reload(
    page: "Page", fleet: Fleet, reader: Reader
) -> None:
    other = reader.url.replace("127.0.0.1", "localhost")
    page.goto(f"{other}/livez")
    address = f"{reader.url}/changes?resource=/users/a"
    with closing(fleet.redis()) as redis:
        tell(redis, "before")
        page.evaluate(
            f"""() => {{
            {example()}
            window.heard = [];
            window.source = follow({json.dumps(address)},
                (change) => heard.push(change.etag), () => heard.push("reset"));
            }}"""
        )
        page.wait_for_function("source.readyState === EventSource.OPEN")
        tell(redis, "one")
        page.wait_for_function("heard.length === 1")
        reader.signal(signal.SIGHUP)
        page.wait_for_function("source.readyState === EventSource.CONNECTING")
        tell(redis, "two")
        page.wait_for_function("heard.length === 2")
        tell(redis, "three")
        page.wait_for_function("heard.length === 3")
        assert page.evaluate("heard") == ["one", "two", "three"]
        page.evaluate("source.close()")

"""Each stored change adds one event to the change feed, in the same step; nothing else does."""

import json
from typing import Any, cast

import pytest
from redis import Redis

from refresher.content.content import Content, not_found
from refresher.refresh import refresh
from refresher.storage.entry_writer import EntryWriter
from refresher.storage.page_store import KnownPages
from shared.changes import EventId, event_id
from shared.redis import keys
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import ORG, REPOS, USER_VIEW, make_settings

NOW = 1_000_000.0
SETTINGS = make_settings("http://unused.invalid", changes_kept=100)


@pytest.fixture
def writer(redis: Redis) -> EntryWriter:
    return EntryWriter(redis, SETTINGS)


def plain(text: str) -> Content:
    return Content(200, json.dumps(text).encode())


def store(writer: EntryWriter, resource: Resource, content: Content) -> int:
    token = writer.draw_token(resource)
    assert writer.store(resource, content, token=token, now=NOW)
    return token


def events(redis: Redis, feed: str = keys.FEED) -> list[tuple[EventId, dict[str, Any]]]:
    stored = cast(list[tuple[bytes, dict[bytes, bytes]]], redis.xrange(feed))
    return [
        (cast(EventId, event_id(at.decode())), json.loads(fields[b"event"]))
        for at, fields in stored
    ]


def told(redis: Redis, feed: str = keys.FEED) -> list[dict[str, Any]]:
    return [event for _, event in events(redis, feed)]


def test_a_change_is_told_with_what_was_stored(redis: Redis, writer: EntryWriter) -> None:
    version = store(writer, ORG, plain("one"))
    assert told(redis) == [
        {
            "resource": "/orgs/Netflix",
            "form": ORG.form,
            "version": version,
            "status": 200,
            "etag": f'"{plain("one").etag}"',
            "asked_at": NOW,
        }
    ]


def test_the_same_content_is_not_told_again(redis: Redis, writer: EntryWriter) -> None:
    for text in ("one", "one", "two", "two", "one"):
        store(writer, ORG, plain(text))
    token = writer.draw_token(ORG)
    assert writer.confirm(ORG, plain("one"), KnownPages(), token=token, now=NOW)
    assert [event["etag"] for event in told(redis)] == [
        f'"{plain(text).etag}"' for text in ("one", "two", "one")
    ]


def test_a_refused_write_is_not_told(redis: Redis, writer: EntryWriter) -> None:
    old = writer.draw_token(ORG)
    writer.draw_token(ORG)
    assert not writer.store(ORG, plain("one"), token=old, now=NOW)
    assert told(redis) == []


def test_content_on_demand_has_a_stream_of_its_own(redis: Redis, writer: EntryWriter) -> None:
    store(writer, ORG, plain("one"))
    store(writer, USER_VIEW, plain("one"))
    assert [event["resource"] for event in told(redis)] == [ORG.name]
    assert [event["resource"] for event in told(redis, keys.FEED_ON_DEMAND)] == [USER_VIEW.name]


def test_ids_grow_over_both_streams(redis: Redis, writer: EntryWriter) -> None:
    found = []
    for number in range(30):
        resource, feed = [(ORG, keys.FEED), (USER_VIEW, keys.FEED_ON_DEMAND)][number % 2]
        store(writer, resource, plain(str(number)))
        found.append(events(redis, feed)[-1][0])
    assert found == sorted(set(found))


def test_ids_grow_although_the_clock_is_set_back(redis: Redis, writer: EntryWriter) -> None:
    ahead = 4_000_000_000_000
    redis.xadd(keys.FEED_ON_DEMAND, {"event": "{}"}, id=f"{ahead}-7")
    store(writer, ORG, plain("one"))
    store(writer, USER_VIEW, plain("one"))
    store(writer, ORG, plain("two"))
    assert [at for at, _ in events(redis)] == [EventId(ahead, 8), EventId(ahead, 10)]
    assert events(redis, keys.FEED_ON_DEMAND)[-1][0] == EventId(ahead, 9)


def test_the_streams_are_bounded(redis: Redis, writer: EntryWriter) -> None:
    for number in range(400):
        store(writer, USER_VIEW, plain(str(number)))
    # Redis removes whole nodes of a stream: about a hundred events each.
    assert 100 <= redis.xlen(keys.FEED_ON_DEMAND) <= 220
    assert redis.ttl(keys.FEED_ON_DEMAND) == -1


def test_a_damaged_stream_begins_anew(redis: Redis, writer: EntryWriter) -> None:
    redis.set(keys.FEED, "x")
    store(writer, ORG, plain("one"))
    assert len(told(redis)) == 1


def test_an_entry_that_was_lost_is_told(redis: Redis, writer: EntryWriter) -> None:
    store(writer, ORG, plain("one"))
    redis.delete(keys.entry(ORG))
    store(writer, ORG, plain("one"))
    assert len(told(redis)) == 2


def test_what_is_gone_is_told_by_its_status(redis: Redis, writer: EntryWriter) -> None:
    store(writer, USER_VIEW, plain("one"))
    store(writer, USER_VIEW, not_found())
    assert [event["status"] for event in told(redis, keys.FEED_ON_DEMAND)] == [200, 404]


def test_a_list_names_what_changed(
    redis: Redis, github: FakeGitHub, context_for: MakeContext
) -> None:
    context = context_for(github.url)
    refresh(REPOS, context, force=True)
    starred = github.mutate("star", repo=0)
    added = github.mutate("add", name="brand-new")
    refresh(REPOS, context, force=True)
    refresh(REPOS, context, force=True)
    first, second = told(redis)
    assert first["read_anew"]
    assert "items" not in first
    assert second["items"] == {
        "added": [{"id": added["id"], "name": "Netflix/brand-new"}],
        "removed": [],
        "changed": [{"id": starred["id"], "name": f"Netflix/{starred['name']}"}],
    }
    gone = github.mutate("make_private", repo=starred["name"])
    refresh(REPOS, context, force=True)
    assert told(redis)[-1]["items"]["removed"] == [
        {"id": gone["id"], "name": f"Netflix/{starred['name']}"}
    ]

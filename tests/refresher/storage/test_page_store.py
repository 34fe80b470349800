"""The stored pages: what cannot be read counts as absent, so that a refresh writes it anew."""

import json
from collections.abc import Mapping

import pytest
from redis import Redis

from refresher.content.page import Body, Page
from refresher.storage import page_store
from shared.redis import keys
from tests.refresher.workbench import REPOS

PAGES = [Page("https://github.invalid/1", '"tag"', None, Body.of(b"[]"), items=0)]
HEAD = json.loads(page_store.heads_of(PAGES))


def store(redis: Redis, fields: Mapping[str, bytes | str]) -> None:
    redis.hset(keys.pages(REPOS), items=[part for pair in fields.items() for part in pair])


def test_pages_are_read_as_they_were_written(redis: Redis) -> None:
    store(redis, page_store.fields_of(PAGES, [1, "a"], REPOS.kind))
    known = page_store.load(redis, REPOS)
    assert (known.pages, known.ids, known.is_outdated) == (PAGES, [1, "a"], False)


@pytest.mark.parametrize(
    "damage",
    [
        {"heads": b""},
        {"heads": b"\xff"},
        {"heads": b"[]"},
        {"heads": b"[" * 100_000},
        {"heads": json.dumps({"pages": []})},
        {"heads": json.dumps({**HEAD, "pages": None})},
        {"heads": json.dumps({**HEAD, "pages": [{}]})},
        {"heads": json.dumps({**HEAD, "pages": [{**HEAD["pages"][0], "unheard": "of"}]})},
        {"heads": json.dumps({**HEAD, "pages": [{**HEAD["pages"][0], "url": ["a"]}]})},
        {"heads": json.dumps({**HEAD, "pages": [{**HEAD["pages"][0], "url": "x"}]})},
        {"heads": json.dumps({**HEAD, "pages": [{**HEAD["pages"][0], "etag": 1e400}]})},
        {"heads": json.dumps({**HEAD, "pages": [{**HEAD["pages"][0], "next_url": "x"}]})},
        {"heads": json.dumps({**HEAD, "pages": [{**HEAD["pages"][0], "items": "1"}]})},
        {"heads": json.dumps({**HEAD, "pages": [{**HEAD["pages"][0], "moved_to": {}}]})},
        {"heads": json.dumps({**HEAD, "pages": [{**HEAD["pages"][0], "moved_at": None}]})},
        {"heads": json.dumps({**HEAD, "pages": [{**HEAD["pages"][0], "asked_by": 1}]})},
        {"ids": b"{"},
        {"ids": b"{}"},
        {"ids": b"null"},
        {"ids": b"[[]]"},
    ],
    ids=lambda damage: str(damage)[-90:],
)
def test_damaged_pages_count_as_absent(redis: Redis, damage: Mapping[str, bytes | str]) -> None:
    store(redis, {**page_store.fields_of(PAGES, [], REPOS.kind), **damage})
    assert page_store.load(redis, REPOS) == page_store.KnownPages()

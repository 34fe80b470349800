"""Pages of a list are kept while it is read: under the fencing token, and within a size."""

import pytest
from redis import Redis

from refresher.content.list_reader import PageRead
from refresher.content.page import Body, Page
from refresher.content.unfinished_reading import NOTHING_READ, Began, KeptPage
from refresher.storage.page_store import KnownPages
from refresher.storage.storage import Storage
from shared.redis import keys
from tests.refresher.workbench import REPOS, make_settings

NOW = 1_800_000_000.0
ABOVE = Began(NOW, "event")


@pytest.fixture
def storage(redis: Redis) -> Storage:
    settings = make_settings("http://github.invalid", cache_ttl=60, list_max_bytes=65536)
    return Storage.of(redis, settings)


def page(number: int, body: bytes = b"[]", *, etag: str = "tag") -> Page:
    return Page(f"https://github.invalid/{number}", etag, None, Body.of_packed(body), items=0)


def step(read: Page, *, asked_at: float = NOW) -> PageRead:
    """A page of a list of three was downloaded."""
    kept = KeptPage(read, asked_at, 200, {"next": "x"}, is_anonymous=False, is_changed=True)
    return PageRead(1, 3, kept.response, None, kept, is_kept=False)


def keep(storage: Storage, token: int, read: PageRead, *, anew: bool = False) -> bool:
    return storage.readings.keep(REPOS, read, token=token, began=ABOVE, anew=anew, stored={})


def test_pages_are_read_as_they_were_kept(storage: Storage) -> None:
    token = storage.writer.draw_token(REPOS)
    steps = [step(page(number), asked_at=NOW - 50 * number) for number in (0, 1, 2)]
    for one in steps:
        assert keep(storage, token, one)
    unfinished = storage.readings.load(REPOS, KnownPages(), now=NOW)
    urls = [one.read.page.url for one in steps]
    kept = [one.read for one in steps]
    assert unfinished.recent == dict(zip(urls[:2], kept[:2], strict=True))
    assert unfinished.older == {urls[2]: kept[2]}
    assert (unfinished.asked_by, unfinished.invalidated_by) == ("", "event")


def test_who_lost_the_lock_keeps_and_discards_nothing(storage: Storage, redis: Redis) -> None:
    old = storage.writer.draw_token(REPOS)
    new = storage.writer.draw_token(REPOS)
    assert not keep(storage, old, step(page(1)))
    assert not redis.exists(keys.reading(REPOS))
    assert keep(storage, new, step(page(1)))
    assert not storage.readings.discard(REPOS, token=old)
    assert redis.exists(keys.reading(REPOS))


def test_what_is_kept_has_a_size_and_an_end(storage: Storage, redis: Redis) -> None:
    token = storage.writer.draw_token(REPOS)
    large = step(page(1, b"x" * 40_000))
    assert keep(storage, token, large)
    assert not keep(storage, token, step(page(2, b"x" * 40_000)))
    assert keep(storage, token, large)  # the same page again takes no more
    assert 0 < redis.ttl(keys.reading(REPOS)) <= 61


def test_a_reading_that_begins_anew_replaces_the_one_before(storage: Storage) -> None:
    token = storage.writer.draw_token(REPOS)
    for number, anew in ((1, True), (2, False), (3, True)):
        keep(storage, token, step(page(number)), anew=anew)
    unfinished = storage.readings.load(REPOS, KnownPages(), now=NOW)
    assert list(unfinished.recent) == [page(3).url]


def test_the_body_of_a_stored_page_is_not_kept_twice(storage: Storage, redis: Redis) -> None:
    token = storage.writer.draw_token(REPOS)
    stored = [page(1, b"x" * 1000), page(2)]
    bodies = {one.url: one.body for one in stored}
    storage.readings.keep(
        REPOS, step(stored[0]), token=token, began=ABOVE, anew=True, stored=bodies
    )
    assert int(redis.hget(keys.reading(REPOS), "bytes") or 0) < 1000
    unfinished = storage.readings.load(REPOS, KnownPages(stored), now=NOW)
    assert unfinished.recent[stored[0].url].page == stored[0]
    # Without the stored page there is no body, and the page is requested again.
    assert storage.readings.load(REPOS, KnownPages(), now=NOW).recent == {}


@pytest.mark.parametrize("value", [b"", b"{", b"{}\n[]", b"[]\nx", b'{"url": 1}\nx'])
def test_a_damaged_page_is_not_used(storage: Storage, redis: Redis, value: bytes) -> None:
    token = storage.writer.draw_token(REPOS)
    keep(storage, token, step(page(1)))
    redis.hset(keys.reading(REPOS), "https://github.invalid/2", value)
    unfinished = storage.readings.load(REPOS, KnownPages(), now=NOW)
    assert "https://github.invalid/2" not in unfinished.recent


def test_a_list_of_one_stored_page_is_not_looked_up(storage: Storage) -> None:
    keep(storage, storage.writer.draw_token(REPOS), step(page(1)))
    assert storage.readings.load(REPOS, KnownPages([page(1)]), now=NOW) is NOTHING_READ

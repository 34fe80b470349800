"""Entries under the mount: made once, bounded, and only of the content that is held."""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Barrier, Event, Thread
from typing import Any

import pytest

from reader.cache import mounted_entries as module
from reader.cache.mounted_entries import Mounted, MountedEntries
from reader.cache.remembered_addresses import MOST
from reader.cache.segment_memory import SegmentMemory
from reader.response.mounted_entry import LARGE, mounted, relabelled, with_tag_of
from reader.response.paging import page
from reader.response.representation import whole
from reader.response.rewriting import Rewriting
from shared.clock import SYSTEM, Clock
from shared.entry import LIST, Entry
from shared.json_array import JsonArray
from shared.segmented_array import Piece, SegmentedArray
from shared.segmented_entry import assembled
from shared.segments import Packed, Segment, digest_of, name_of
from tests.builders import NOW, compressed, make_entry, make_metadata, on_demand, tracked
from tests.waiting import eventually

GITHUB = "https://api.github.com"
HERE, THERE = "http://here.test/api/v3", "https://there.test/api/v3"
USER = on_demand("/users/mona")
REPOS = tracked("/orgs/Netflix/repos")
REWRITING = Rewriting([GITHUB])


class StopWatch:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept = 0

    def sleep(self, _: float) -> None:
        self.slept += 1


@pytest.fixture
def watch() -> StopWatch:
    return StopWatch()


@pytest.fixture
def mounts(watch: StopWatch) -> Iterator[MountedEntries]:
    made = make(watch)
    yield made
    made.stop()


def make(watch: StopWatch, max_bytes: int = 100_000_000) -> MountedEntries:
    clock = Clock(lambda: NOW, lambda: watch.now, watch.sleep)
    return MountedEntries(REWRITING, max_bytes=max_bytes, clock=clock)


def make_user(name: str = "mona", **metadata: Any) -> Entry:
    body = json.dumps({"login": name, "url": f"{GITHUB}/users/{name}", "bio": GITHUB}).encode()
    return compressed(make_entry(body * 1, etag=f"tag-{name}", **metadata))


def make_list(count: int, size: int = 0) -> Entry:
    items = (
        json.dumps({"id": n, "url": f"{GITHUB}/repos/a/{n}", "body": "x" * size}).encode()
        for n in range(count)
    )
    array = JsonArray.join(items)
    return Entry(make_metadata(size=len(array.body), etag="list"), array.body, array=array)


def urls(body: bytes) -> set[str]:
    value = json.loads(body)
    items = value if isinstance(value, list) else [value]
    return {item["url"].rpartition("/")[0] for item in items}


def body_of(found: Mounted) -> bytes:
    """What is sent of the whole entry."""
    representation = whole(found.entry)
    if found.rewrite is not None:
        representation = found.rewrite(representation)
    return b"".join(representation.stream or [bytes(representation.body)])


def tag_of(entry: Entry) -> str:
    """The tag of the whole entry, as a client gets it."""
    return with_tag_of(whole(entry), entry.address).tag


def test_nothing_is_held_before_it_was_made(mounts: MountedEntries) -> None:
    assert mounts.held(USER, make_user(), HERE) is None


def test_what_was_made_is_held_for_its_address_only(mounts: MountedEntries) -> None:
    entry = make_user()
    made = mounts.get(USER, entry, HERE)
    assert made.rewrite is None
    assert json.loads(bytes(made.entry.body)) == {
        "login": "mona",
        "url": f"{HERE}/users/mona",
        "bio": GITHUB,
    }
    assert mounts.held(USER, entry, HERE) is made.entry
    assert mounts.held(USER, entry, THERE) is None
    assert mounts.held(on_demand("/users/other"), entry, HERE) is None


def test_each_address_has_a_tag_of_its_own(mounts: MountedEntries) -> None:
    entry = make_user()
    tags = {tag_of(mounts.get(USER, entry, one).entry) for one in (HERE, THERE)}
    assert len(tags | {entry.metadata.etag}) == 3


def test_it_is_compressed_with_gzip_alone(mounts: MountedEntries) -> None:
    entry = compressed(make_list(50))
    made = mounts.get(REPOS, entry, HERE).entry
    assert set(made.encoded) == {"gzip"}
    assert gzip.decompress(bytes(made.encoded["gzip"])) == made.body
    assert not mounts.get(USER, make_entry(b'{"url":"x"}'), HERE).entry.encoded


def test_a_body_without_addresses_stays_the_same_object(mounts: MountedEntries) -> None:
    entry = compressed(make_entry(b'{"login": "mona"}' + b" " * 600))
    made = mounts.get(USER, entry, HERE).entry
    assert made.body is entry.body
    assert made.encoded == entry.encoded
    assert tag_of(made) != entry.metadata.etag


def test_a_confirmed_entry_is_not_made_again(mounts: MountedEntries) -> None:
    entry = make_user()
    made = mounts.get(USER, entry, HERE).entry
    later = replace(entry, metadata=replace(entry.metadata, fresh_until=NOW + 5000))
    held = mounts.held(USER, later, HERE)
    assert held is not None
    assert held.body is made.body
    assert held.metadata.fresh_until == NOW + 5000
    assert tag_of(held) == tag_of(made)


def test_another_version_is_never_served_for_the_one_that_is_held(mounts: MountedEntries) -> None:
    mounts.get(USER, make_user(), HERE)
    for newer in (make_user("lisa"), make_user(version=2)):
        assert mounts.held(USER, newer, HERE) is None
        assert (
            mounts.get(USER, newer, HERE).entry.body
            == mounted(newer, HERE, REWRITING, pause=lambda: None).body
        )
    assert mounts.bytes < 10_000


def test_a_list_can_be_cut_where_its_items_end(mounts: MountedEntries) -> None:
    made = mounts.get(REPOS, make_list(60), HERE).entry
    assert made.array is not None
    assert made.array.body == made.body
    assert (
        b"".join(bytes(made.array.slice(n, n + 1))[1:-1] + b"," for n in range(60))[:-1]
        == bytes(made.body)[1:-1]
    )
    assert urls(bytes(made.array.slice(20, 30))) == {f"{HERE}/repos/a"}


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/vnd.github.raw+json; charset=utf-8", "text/html"]
)
def test_what_is_not_json_is_not_rewritten(mounts: MountedEntries, content_type: str) -> None:
    entry = make_user(content_type=content_type)
    held = mounts.held(USER, entry, HERE)
    assert held is not None
    assert (held.body, held.encoded) == (entry.body, entry.encoded)
    assert tag_of(held) != entry.metadata.etag
    assert mounts.get(USER, entry, HERE) == Mounted(held)


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/a+json"]
)
def test_all_json_is(mounts: MountedEntries, content_type: str) -> None:
    assert b"here.test" in mounts.get(USER, make_user(content_type=content_type), HERE).entry.body


def test_further_addresses_are_rewritten_as_they_are_sent(mounts: MountedEntries) -> None:
    entry = make_user()
    for number in range(MOST):
        mounts.get(USER, entry, f"http://{number}.test/api/v3")
    taken = mounts.bytes
    for number in range(100):
        address = f"http://more-{number}.test/api/v3"
        found = mounts.get(USER, entry, address)
        assert found.rewrite is not None
        assert urls(body_of(found)) == {f"{address}/users"}
        assert not found.entry.encoded
        assert mounts.held(USER, entry, address) is None
    assert mounts.bytes == taken


def test_both_ways_give_the_same_bytes_and_tag(mounts: MountedEntries) -> None:
    entry = make_list(30)
    for number in range(MOST):
        mounts.get(USER, make_user(), f"http://{number}.test/api/v3")
    sent = mounts.get(REPOS, entry, HERE)
    assert sent.rewrite is not None
    made = mounted(entry, HERE, REWRITING, pause=lambda: None)
    assert body_of(sent) == made.body
    assert tag_of(sent.entry) == tag_of(made)


class TestAListInPieces:
    """Is made piece by piece, and after a change only the changed piece is made."""

    def in_pieces(self, runs: Sequence[Sequence[bytes]]) -> Entry:
        pieces = []
        for run in runs:
            packed, checked = Packed.of(run, separator=b",")
            plain = packed.plain(checked)
            pieces.append(Piece.of(plain, packed.blocks, packed.ends, checked, b","))
        names = [name_of(digest_of(text) for text in run) for run in runs]
        segments = [
            Segment(name, len(piece.ends), piece.checked, 0)
            for name, piece in zip(names, pieces, strict=True)
        ]
        whole = SegmentedArray(pieces, b",")
        metadata = make_metadata(size=len(whole.body), etag="list", items=len(whole))
        return assembled(metadata, {LIST: segments}, dict(zip(names, pieces, strict=True)))

    def runs(self) -> list[list[bytes]]:
        items = [
            json.dumps({"id": number, "url": f"{GITHUB}/repos/a/{number}"}).encode()
            for number in range(40)
        ]
        return [items[:7], items[7:8], items[8:], [b'{"id": 99}']]

    def test_is_what_it_is_when_it_is_whole(self) -> None:
        entry = self.in_pieces(self.runs())
        array = JsonArray.join(text for run in self.runs() for text in run)
        expected = mounted(
            Entry(entry.metadata, array.body, array=array), HERE, REWRITING, pause=lambda: None
        )
        made = mounted(entry, HERE, REWRITING, pause=lambda: None)
        assert made.body == expected.body
        assert gzip.decompress(bytes(made.encoded["gzip"])) == made.body
        assert made.array is not None
        assert expected.array is not None
        for start, stop in ((0, 3), (5, 9), (7, 8), (20, 41), (0, 41)):
            assert bytes(made.array.slice(start, stop)) == bytes(expected.array.slice(start, stop))
        for query in ("page=1&per_page=9", "page=3&per_page=5"):
            assert page(made, query).tag == page(relabelled(entry, HERE), query).tag

    def test_of_which_one_changed_keeps_the_others(self) -> None:
        memory = SegmentMemory(None, clock=SYSTEM)
        before, changed = self.runs(), self.runs()
        changed[0][0] = json.dumps({"id": 0, "url": f"{GITHUB}/repos/a/other"}).encode()
        one, other = (
            mounted(self.in_pieces(runs), HERE, REWRITING, pause=lambda: None, pieces=memory).array
            for runs in (before, changed)
        )
        assert isinstance(one, SegmentedArray)
        assert isinstance(other, SegmentedArray)
        same = [a is b for a, b in zip(one.pieces, other.pieces, strict=True)]
        assert same == [False, True, True, False], "nothing is kept of what has no address"
        assert memory.find(self.in_pieces(before).manifests[LIST][0].name) is None


def test_a_displaced_address_takes_its_entries_along(
    mounts: MountedEntries, watch: StopWatch
) -> None:
    entry = make_user()
    for number in range(MOST):
        mounts.get(USER, entry, f"http://{number}.test/api/v3")
    taken = mounts.bytes
    for _ in range(200):
        watch.now += 1
        for number in range(1, MOST):
            mounts.held(USER, entry, f"http://{number}.test/api/v3")
        mounts.get(USER, entry, HERE)
    assert mounts.held(USER, entry, HERE) is not None
    assert mounts.held(USER, entry, "http://0.test/api/v3") is None
    assert mounts.bytes == pytest.approx(taken, rel=0.1)


def test_memory_is_bounded_and_the_last_used_stay(watch: StopWatch) -> None:
    mounts = make(watch, max_bytes=20_000)
    kept = on_demand("/users/kept")
    mounts.get(kept, make_user("kept"), HERE)
    for number in range(100):
        mounts.get(on_demand(f"/users/u{number}"), make_user(f"u{number}"), HERE)
        assert mounts.held(kept, make_user("kept"), HERE) is not None
        assert mounts.bytes <= 20_000
    large = make_list(1000)
    assert mounts.get(REPOS, large, HERE).rewrite is None
    assert mounts.held(REPOS, large, HERE) is None


def test_what_is_not_used_is_dropped(mounts: MountedEntries, watch: StopWatch) -> None:
    mounts.get(USER, make_user(), HERE)
    watch.now += 601
    mounts.get(on_demand("/users/lisa"), make_user("lisa"), HERE)
    assert mounts.held(USER, make_user(), HERE) is None


def test_many_threads_that_want_the_same_make_it_once(
    mounts: MountedEntries, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, barrier, results = [], Barrier(8), []

    def slow(*arguments: Any, **known: Any) -> Entry:
        made.append(1)
        Event().wait(0.05)
        return mounted(*arguments, **known)

    monkeypatch.setattr(module, "mounted", slow)

    def ask() -> None:
        barrier.wait()
        results.append(mounts.get(USER, make_user(), HERE).entry.body)

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(set(results)) == 1
    assert len(results) == 8


def test_a_large_one_is_sent_in_pieces_until_it_is_held(
    mounts: MountedEntries, watch: StopWatch
) -> None:
    entry = make_list(1500, size=1000)
    assert len(entry.body) > LARGE
    first = mounts.get(REPOS, entry, HERE)
    assert first.rewrite is not None
    representation = first.rewrite(whole(first.entry))
    assert representation.body == b""
    assert representation.stream is not None
    eventually(lambda: mounts.held(REPOS, entry, HERE) is not None, what="it is held")
    held = mounts.get(REPOS, entry, HERE)
    assert held.rewrite is None
    assert b"".join(representation.stream) == held.entry.body
    assert held.entry.metadata.etag == first.entry.metadata.etag
    assert watch.slept > 20  # in between, hits are served


def test_one_that_is_too_large_to_be_held_is_made_once_for_a_version(
    watch: StopWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def counted(*arguments: Any, **known: Any) -> Entry:
        made.append(1)
        return mounted(*arguments, **known)

    monkeypatch.setattr(module, "mounted", counted)
    mounts = make(watch, max_bytes=LARGE)
    entry = make_list(1500, size=1000)
    newer = replace(entry, metadata=replace(entry.metadata, version=entry.metadata.version + 1))
    for number, one in enumerate((entry, entry, newer, newer), start=2):
        assert urls(body_of(mounts.get(REPOS, one, HERE))) == {f"{HERE}/repos/a"}
        eventually(lambda: not mounts._pending)
        assert len(made) == number // 2
    mounts.stop()


def test_many_requests_for_large_ones_queue_a_few(
    mounts: MountedEntries, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, made = Event(), []

    def slow(*arguments: Any, **known: Any) -> Entry:
        made.append(1)
        release.wait(30)
        return mounted(*arguments, **known)

    monkeypatch.setattr(module, "mounted", slow)
    entry = make_list(1500, size=1000)
    for number in range(100):
        resource = on_demand(f"/users/u{number % 40}")
        assert mounts.get(resource, entry, HERE).rewrite is not None
    release.set()
    eventually(lambda: not mounts._pending, what="all are made")
    assert len(made) <= 16

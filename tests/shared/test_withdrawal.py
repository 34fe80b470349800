"""What is withdrawn is gone from content, and everything else is as if it had never been there."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.response.paging import page
from reader.response.ranked_view import RankedView
from shared import etag
from shared.encodings import gzipped
from shared.entry import LIST, LIST_SEPARATOR, VIEW_SEPARATOR, Entry
from shared.gzip_joining import deflated
from shared.json_array import ItemArray, JsonArray
from shared.segmented_array import Piece, SegmentedArray
from shared.segments import Packed, Segment, name_of_digests
from shared.withdrawal import IN_FORCE_S, NOTHING, Withdrawals
from shared.withdrawn_entry import relabelled
from tests.builders import NOW, make_entry, make_metadata, on_demand, tracked

REPOS = tracked("/orgs/Netflix/repos")
SECRET = "Netflix/Secret"
KEYS = {"netflix/secret": NOW, "#4711": NOW}
WITHDRAWN = Withdrawals(KEYS)


def repository(number: int, name: str) -> dict[str, Any]:
    return {
        "id": number,
        "full_name": name,
        "private": False,
        "owner": {"login": name.split("/", maxsplit=1)[0], "id": 4711},
        "html_url": f"https://github.com/{name}",
        "url": f"https://api.github.com/repos/{name}",
        "branches_url": f"https://api.github.com/repos/{name}/branches{{/branch}}",
        "description": "like Netflix/Secret, or 4711",
    }


def text_of(value: Any) -> bytes:
    return json.dumps(value).encode()


def array_of(texts: Sequence[bytes], separator: bytes, sizes: Sequence[int]) -> ItemArray:
    """An array that is held in pieces of these sizes; whole, if there are none."""
    if not sizes:
        return JsonArray.join(texts, separator)
    pieces, at = list[Piece](), 0
    while at < len(texts):
        some = texts[at : at + sizes[len(pieces) % len(sizes)]]
        deflate = deflated if separator == LIST_SEPARATOR else lambda _: b""
        packed, checked = Packed.of(some, separator=separator, deflate=deflate)
        plain = separator.join(some)
        pieces.append(Piece.of(plain, packed.blocks, packed.ends, checked, separator))
        at += len(some)
    return SegmentedArray(pieces, separator)


def list_entry(items: Sequence[Mapping[str, Any]], sizes: Sequence[int], **known: Any) -> Entry:
    """An entry of a list of repositories with one view, by id."""
    array = array_of([text_of(one) for one in items], LIST_SEPARATOR, sizes)
    rows = sorted((one["id"], one["full_name"]) for one in items)
    view = array_of([text_of([name, at]) for at, name in rows], VIEW_SEPARATOR, sizes)
    metadata = make_metadata(
        size=len(array.body),
        items=len(array),
        etag=etag.of_list(array.digests(0, len(array))),
        **known,
    )
    entry = Entry(metadata, array.body, gzipped(bytes(array.body)), array, {"stars": view})
    if not isinstance(array, SegmentedArray):
        return entry
    assert isinstance(view, SegmentedArray)
    manifests = {
        LIST: [
            Segment(name_of_digests(bytes(one.digests)), len(one.ends), one.checked, 0)
            for one in array.pieces
        ],
        "stars": [Segment(b"", len(one.ends), one.checked, 0) for one in view.pieces],
    }
    return replace(entry, encoded={"gzip": array.gzip}, manifests=manifests)


names = st.sampled_from([SECRET, "netflix/SECRET", "Netflix/Old-Secret", "Netflix/Secrets"])
others = st.integers(0, 40).map(lambda number: f"Netflix/r{number}")
lists = st.lists(st.tuples(st.integers(1, 9999), names | others), max_size=12).map(
    lambda rows: [repository(number, name) for number, name in rows]
)
pieces = st.lists(st.integers(1, 5), max_size=2)
hidden = st.sampled_from([repository(4711, "Netflix/Renamed"), repository(12, SECRET)])


def is_hidden(item: Mapping[str, Any]) -> bool:
    return bool(item["id"] == 4711 or item["full_name"].lower() == "netflix/secret")


@given(
    items=lists, one=hidden, at=st.integers(0, 12), sizes=st.lists(st.integers(1, 5), max_size=2)
)
def test_a_list_is_as_if_the_items_had_never_been_there(
    items: list[dict[str, Any]], one: dict[str, Any], at: int, sizes: list[int]
) -> None:
    items = [*items[:at], one, *items[at:]]
    without = list_entry([item for item in items if not is_hidden(item)], sizes)
    shown = WITHDRAWN.shown(REPOS, list_entry(items, sizes))
    assert bytes(shown.body) == bytes(without.body)
    assert (shown.metadata.etag, shown.metadata.items, shown.metadata.size) == (
        without.metadata.etag,
        without.metadata.items,
        without.metadata.size,
    )
    assert bytes(shown.views["stars"].body) == bytes(without.views["stars"].body)
    for number in (1, 2):
        query = f"page={number}&per_page=3"
        left, right = page(shown, query), page(without, query)
        assert (bytes(left.body), left.tag, left.links) == (
            bytes(right.body),
            right.tag,
            right.links,
        )
    top = RankedView.parse("top", "3", "stars")
    assert top.of(shown).tag == top.of(without).tag
    if isinstance(shown.array, SegmentedArray):
        assert len(shown.manifests[LIST]) == len(shown.array.pieces)
    for body in shown.encoded.values():
        assert gzip.decompress(bytes(body)) == bytes(shown.body)


@given(items=lists, sizes=pieces)
def test_what_tells_of_nothing_withdrawn_stays_the_same_object(
    items: list[dict[str, Any]], sizes: list[int]
) -> None:
    entry = list_entry([item for item in items if not is_hidden(item)], sizes)
    assert WITHDRAWN.shown(REPOS, entry) is entry
    assert NOTHING.shown(REPOS, entry) is entry


@given(items=lists, sizes=pieces)
def test_many_withdrawals_remove_what_few_do(items: list[dict[str, Any]], sizes: list[int]) -> None:
    many = Withdrawals(KEYS | {f"a/b{number}": NOW for number in range(100)})
    entry = list_entry(items, sizes)
    assert bytes(many.shown(REPOS, entry).body) == bytes(WITHDRAWN.shown(REPOS, entry).body)


@given(
    items=lists,
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=2),
    steps=st.lists(st.sets(st.integers(0, 40)), min_size=2, max_size=4),
)
def test_what_was_found_before_is_used_again_and_changes_nothing(
    items: list[dict[str, Any]], sizes: list[int], steps: list[set[int]]
) -> None:
    entry, withdrawn = list_entry(items, sizes), NOTHING
    for numbers in steps:
        times = {f"netflix/r{number}": NOW for number in numbers}
        withdrawn = Withdrawals(times, former=withdrawn)
        shown = withdrawn.shown(REPOS, entry)
        assert bytes(shown.body) == bytes(Withdrawals(times).shown(REPOS, entry).body)


def below(name: str) -> dict[str, Any]:
    """Something that belongs to a repository."""
    return {"id": 1, "number": 7, "repository_url": f"https://api.github.com/repos/{name}"}


class TestOnDemand:
    @pytest.mark.parametrize(
        "path",
        [
            *("/repos/Netflix/Secret", "/repos/netflix/SECRET/issues?page=2"),
            *(
                "/repositories/4711",
                "/repositories/4711/commits",
                "/networks/netflix/secret/events",
            ),
            "/repos/Netflix/Secret/contents/a.txt#media=raw",
        ],
    )
    def test_the_repository_and_all_below_it_are_404s(self, path: str) -> None:
        entry = make_entry(b"anything", content_type="text/plain", links=(("next", "page=2"),))
        shown = WITHDRAWN.shown(on_demand(path), entry)
        assert shown.metadata.status == 404
        assert json.loads(bytes(shown.body))["message"] == "Not Found"
        assert shown.metadata.is_withdrawn
        assert not shown.metadata.links
        assert shown.metadata.etag != entry.metadata.etag

    def test_addresses_of_others_are_no_pages_of_it(self) -> None:
        text = b'{"license":{"url":"https://api.github.com/licenses/mit"},"avatar_url":"https://a/u/1"}'
        for name in ("licenses/mit", "u/1"):
            entry = make_entry(text)
            assert Withdrawals({name: NOW}).shown(on_demand("/users/a"), entry) is entry

    def test_others_are_not(self) -> None:
        for path in ("/repos/Netflix/Secrets", "/repositories/471", "/repos/a/Secret"):
            entry = make_entry(b'{"full_name":"Netflix/Secrets","id":47110}')
            assert WITHDRAWN.shown(on_demand(path), entry) is entry

    @pytest.mark.parametrize(
        "one",
        [
            repository(1, SECRET),
            repository(4711, "Netflix/New-Name"),
            below("netflix/secret"),
            {"id": 1, "type": "PushEvent", "repo": {"id": 4711, "name": SECRET, "url": "x"}},
            {"starred_at": "2026", "repo": repository(1, SECRET)},
            {"name": "a.py", "repository": {"id": 4711, "full_name": SECRET}},
            {"sha": "1", "url": "https://api.github.com/repositories/4711/commits/1"},
            {"id": 2, "html_url": "https://github.com/Netflix/Secret/pull/2"},
            {"clone_url": "https://github.com/netflix/secret.git"},
        ],
    )
    def test_items_that_tell_of_it_are_left_out(self, one: dict[str, Any]) -> None:
        other = {"id": 4711, "login": "a user with its number", "text": "see Netflix/Secret"}
        for value, left in (
            ([other, one], [other]),
            ({"total_count": 2, "items": [one, other]}, {"total_count": 2, "items": [other]}),
        ):
            entry = make_entry(text_of(value))
            shown = WITHDRAWN.shown(on_demand("/search/repositories?q=a"), entry)
            assert json.loads(bytes(shown.body)) == left
            assert shown.metadata.etag != entry.metadata.etag
            assert shown.metadata.changed_at >= NOW
        whole = WITHDRAWN.shown(on_demand("/repos/netflix/former-name"), make_entry(text_of(one)))
        assert whole.metadata.status == 404

    def test_a_part_that_is_one_is_null_as_github_shows_a_fork_that_is_gone(self) -> None:
        pull = below("a/b") | {"head": {"ref": "x", "repo": repository(9, SECRET)}}
        left = below("a/b") | {"head": {"ref": "x", "repo": None}}
        for value, expected in ((pull, left), ([pull], [left])):
            shown = WITHDRAWN.shown(on_demand("/repos/a/b/pulls/7"), make_entry(text_of(value)))
            assert json.loads(bytes(shown.body)) == expected

    def test_what_cannot_be_judged_is_not_shown(self) -> None:
        deep = b"[" * 100_000 + b'"netflix/secret"' + b"]" * 100_000
        shown = WITHDRAWN.shown(on_demand("/users/a"), make_entry(deep))
        assert shown.metadata.status == 404


class TestTimes:
    def test_what_github_is_asked_for_later_is_believed(self) -> None:
        entry = list_entry([repository(4711, SECRET)], [])
        for asked_at, items in ((NOW - 1e6, 0), (NOW + IN_FORCE_S - 1, 0), (NOW + IN_FORCE_S, 1)):
            asked = replace(entry, metadata=replace(entry.metadata, validated_at=asked_at))
            assert WITHDRAWN.shown(REPOS, asked).metadata.items == items

    def test_each_withdrawal_has_its_own_time(self) -> None:
        both = Withdrawals({"netflix/secret": NOW, "netflix/other": NOW + 100})
        entry = list_entry([repository(1, SECRET), repository(2, "Netflix/Other")], [2])
        at = NOW + IN_FORCE_S + 50
        asked = replace(entry, metadata=replace(entry.metadata, validated_at=at))
        shown = both.shown(REPOS, asked)
        assert [one["id"] for one in json.loads(bytes(shown.body))] == [1]

    def test_a_confirmation_keeps_what_was_removed(self) -> None:
        entry = list_entry([repository(1, SECRET), repository(2, "Netflix/Other")], [])
        shown = WITHDRAWN.shown(REPOS, entry)
        later = replace(entry.metadata, validated_at=NOW + 5, fresh_until=NOW + 9, confirmed_by=7)
        again = relabelled(shown, later)
        expected = WITHDRAWN.shown(REPOS, replace(entry, metadata=later))
        assert again.metadata == expected.metadata


def test_what_is_told_of_a_withdrawn_repository_is_a_404() -> None:
    secret, metadata = on_demand("/repos/Netflix/Secret/issues"), make_metadata()
    told = WITHDRAWN.told(secret, metadata)
    assert told is not None
    assert (told.status, told.is_withdrawn) == (404, True)
    assert WITHDRAWN.told(REPOS, metadata) is metadata
    assert NOTHING.told(secret, metadata) is metadata
    assert WITHDRAWN.told(secret, None) is None


def test_names_of_resources_that_name_it_are_found() -> None:
    for name in (
        *("/repos/Netflix/Secret/issues?page=2", "/search/issues?q=repo%3Anetflix%2FSECRET"),
        *("/repositories/4711/commits", "refresh /repos/netflix/secret"),
    ):
        assert WITHDRAWN.is_named_in(name)
        assert not NOTHING.is_named_in(name)
    assert not WITHDRAWN.is_named_in("/repos/netflix/hystrix")
    assert WITHDRAWN.number(NOW + 1) == 1
    assert WITHDRAWN.number(NOW + IN_FORCE_S) == 0

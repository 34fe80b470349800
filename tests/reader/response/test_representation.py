"""The whole of an entry as a representation, and the tags of all representations of an entry."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from reader.response.paging import page
from reader.response.ranked_view import RankedView
from reader.response.representation import whole
from shared.entry import Entry
from shared.gzip_joining import Checked, deflated
from shared.json_array import JsonArray
from shared.segmented_array import Piece, SegmentedArray
from tests.builders import compressed, make_entry, make_metadata, make_ranked_entry


def test_the_whole_is_the_entry_as_it_is_stored() -> None:
    entry = compressed(make_entry(links=(("next", "page=2"),), status=404, content_type="a/b"))
    sent = whole(entry)
    assert sent.body is entry.body
    assert sent.encoded is entry.encoded
    assert (sent.tag, sent.status, sent.content_type) == ("tag", 404, "a/b")
    assert sent.links == (("next", "page=2"),)


def test_whole_pages_and_views_all_have_different_tags() -> None:
    entry = make_ranked_entry({f"Netflix/r{number}": number for number in range(20)})
    made = [
        page(entry, f"page={number}&per_page={size}")
        for number in (1, 2, 12)
        for size in (1, 2, 21)
    ]
    made += [
        RankedView("stars", from_top=from_top, count=count).of(entry)
        for from_top in (True, False)
        for count in (1, 2, 12)
    ]
    assert len({one.tag for one in made}) == len({(bytes(one.body), one.links) for one in made})
    assert len({one.tag for one in made}) > len(made) - 3  # of empty pages
    assert whole(entry).tag not in {one.tag for one in made}


def test_a_tag_changes_with_the_items_and_links_that_are_sent_and_with_nothing_else() -> None:
    before = list_of(range(1, 31))
    queries = [f"page={number}&per_page=10" for number in (1, 2, 3)]

    def changed(after: Entry) -> list[bool]:
        return [page(before, query).tag != page(after, query).tag for query in queries]

    assert changed(list_of(range(1, 31), etag="another", version=2)) == [False] * 3
    assert changed(list_of([*range(1, 15), 99, *range(16, 31)])) == [False, True, False]
    assert changed(list_of(range(1, 32))) == [True, True, True], "each links to the last page"


def test_a_tag_does_not_depend_on_how_the_list_is_held() -> None:
    whole_list = list_of(range(1, 31))
    assert isinstance(whole_list.array, JsonArray)
    pieces = [
        Piece.of(text := b",".join(b'{"id": %d}' % one for one in run), deflated(text),
                 ends_in(text), Checked.of(text), b",")
        for run in (range(1, 8), range(8, 30), range(30, 31))
    ]  # fmt: skip
    in_pieces = replace(whole_list, array=SegmentedArray(pieces, b","))
    for query in ("page=1&per_page=10", "page=3&per_page=7", "page=1&per_page=100"):
        one, other = page(whole_list, query), page(in_pieces, query)
        assert (one.tag, bytes(one.body)) == (other.tag, bytes(other.body))


def list_of(numbers: Iterable[int], **metadata: Any) -> Entry:
    array = JsonArray.join(json.dumps({"id": number}).encode() for number in numbers)
    return Entry(make_metadata(**metadata), array.body, array=array)


def ends_in(text: bytes) -> list[int]:
    return [at + 1 for at, letter in enumerate(text) if letter == ord("}")]

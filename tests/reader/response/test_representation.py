import json
from collections.abc import Callable
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.errors import ApiError, BadRequest, NotFound
from reader.response.paging import is_page_query, page
from reader.response.ranked_view import RankedView
from reader.response.representation import Representation, whole
from tests.builders import RANKINGS, compressed, make_entry, make_list_entry, make_ranked_entry

numbers = st.integers(1, 12)


def ids(representation: Representation) -> list[int]:
    return [item["id"] for item in json.loads(representation.body)]


def relations(representation: Representation) -> dict[str, int]:
    """Relation to page, in the order in which they stand."""
    return {
        relation: int(parse_qs(query, strict_parsing=True)["page"][0])
        for relation, query in representation.links
    }


def test_the_whole_is_the_entry_as_it_is_stored() -> None:
    entry = compressed(make_entry(links=(("next", "page=2"),), status=404, content_type="a/b"))
    sent = whole(entry)
    assert sent.body is entry.body
    assert sent.encoded is entry.encoded
    assert (sent.tag, sent.status, sent.content_type) == ("tag", 404, "a/b")
    assert sent.links == (("next", "page=2"),)


@given(st.integers(0, 260), st.integers(1, 130))
def test_following_next_gives_every_item_once_and_ends(count: int, per_page: int) -> None:
    entry = make_list_entry(count)
    seen: list[int] = []
    query: str | None = f"per_page={per_page}"
    visited = []
    while query is not None:
        assert query not in visited
        visited.append(query)
        current = page(entry, query)
        seen += ids(current)
        query = dict(current.links).get("next")
    assert seen == list(range(1, count + 1))
    assert len(visited) == max(1, -(-count // min(per_page, 100)))


@given(st.integers(0, 60), numbers, st.data())
def test_links_are_githubs_for_any_page_there_is(
    count: int, per_page: int, data: st.DataObject
) -> None:
    last = max(1, -(-count // per_page))
    number = data.draw(st.integers(1, last))
    expected = []
    if number > 1:
        expected.append(("prev", number - 1))
    if number < last:
        expected += [("next", number + 1), ("last", last)]
    if number > 1:
        expected.append(("first", 1))
    links = relations(page(make_list_entry(count), f"page={number}&per_page={per_page}"))
    assert list(links.items()) == expected


@given(st.integers(0, 60), numbers, st.integers(1, 80))
def test_beyond_the_end_links_lead_back_and_not_on(count: int, per_page: int, more: int) -> None:
    last = max(1, -(-count // per_page))
    links = relations(page(make_list_entry(count), f"page={last + more}&per_page={per_page}"))
    assert "next" not in links
    assert (links["prev"], links["first"]) == (last, 1)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, {"next": 2, "last": 5}),
        (2, {"prev": 1, "next": 3, "last": 5, "first": 1}),
        (4, {"prev": 3, "next": 5, "last": 5, "first": 1}),
        (5, {"prev": 4, "first": 1}),
    ],
)
def test_links_are_those_of_a_recorded_list_of_five_pages(
    number: int, expected: dict[str, int]
) -> None:
    links = relations(page(make_list_entry(13), f"page={number}&per_page=3"))
    assert list(links.items()) == list(expected.items())


@given(st.integers(0, 60), numbers)
def test_every_link_keeps_the_length_of_pages(count: int, per_page: int) -> None:
    for _, query in page(make_list_entry(count), f"per_page={per_page}&page=2").links:
        assert parse_qs(query)["per_page"] == [str(per_page)]


def test_golden_links() -> None:
    entry = make_list_entry(25)
    assert page(entry, "per_page=10&page=2").links == (
        ("prev", "per_page=10&page=1"),
        ("next", "per_page=10&page=3"),
        ("last", "per_page=10&page=3"),
        ("first", "per_page=10&page=1"),
    )


@pytest.mark.parametrize("query", ["per_page=25", "page=1", "per_page=100", "page=x"])
def test_a_list_on_a_single_page_has_no_links(query: str) -> None:
    assert page(make_list_entry(25), query).links == ()


@given(st.integers(0, 60), numbers, st.integers(1, 80))
def test_a_page_holds_its_slice_of_the_list(count: int, per_page: int, number: int) -> None:
    got = ids(page(make_list_entry(count), f"page={number}&per_page={per_page}"))
    wanted = range((number - 1) * per_page + 1, number * per_page + 1)
    assert got == [item for item in wanted if item <= count]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("page=1", range(1, 31)),
        ("page=2", range(31, 61)),
        ("per_page=100", range(1, 101)),
        ("per_page=101", range(1, 101)),
        ("per_page=999999999", range(1, 101)),
        ("page=5&per_page=50", range(201, 251)),
        ("page=6&per_page=50", range(0)),
        ("page=999999999999999", range(0)),
        # What GitHub would ignore counts as absent.
        ("page=0", range(1, 31)),
        ("page=-1", range(1, 31)),
        ("page=x", range(1, 31)),
        ("page=", range(1, 31)),
        ("page=1.5", range(1, 31)),
        ("page=%D9%A2", range(1, 31)),
        ("page=" + "9" * 5000, range(1, 31)),
        ("per_page=0", range(1, 31)),
        ("per_page=-5", range(1, 31)),
        ("per_page=", range(1, 31)),
        ("per_page=" + "9" * 5000, range(1, 31)),
        ("page=007&per_page=010", range(61, 71)),
        ("page=1&page=2", range(31, 61)),
    ],
)
def test_a_query_names_a_page_of_250_items(query: str, expected: range) -> None:
    assert ids(page(make_list_entry(250), query)) == list(expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("page=2", True), ("per_page=5", True), ("per_page=5&page=", True), ("page", True),
        ("", False), ("sort=updated", False), ("page=2&sort=updated", False), ("Page=2", False),
        ("&", False), ("p%61ge=2", True),
    ],
)  # fmt: skip
def test_a_page_query_holds_nothing_but_page_and_per_page(query: str, expected: bool) -> None:
    assert is_page_query(query) is expected


def test_a_page_is_cut_from_the_plain_body_and_not_from_a_compressed_one() -> None:
    cut = page(compressed(make_list_entry(3)), "page=1&per_page=3")
    assert (cut.encoded, ids(cut)) == ({}, [1, 2, 3])


def test_whole_pages_and_views_all_have_different_tags() -> None:
    entry = make_ranked_entry({f"Netflix/r{number}": number for number in range(20)})
    made = [whole(entry)]
    made += [
        page(entry, f"page={number}&per_page={size}")
        for number in (1, 2, 12)
        for size in (1, 2, 21)
    ]
    made += [
        RankedView(metric, from_top=from_top, count=count).of(entry)
        for metric in RANKINGS
        for from_top in (True, False)
        for count in (1, 2, 12)
    ]
    assert len({one.tag for one in made}) == len(made)


def test_a_tag_changes_with_the_entrys() -> None:
    one, other = (make_ranked_entry({"a/b": 1}, etag=etag) for etag in ("one", "other"))
    made: list[Callable[..., Representation]] = [
        whole,
        lambda entry: page(entry, "page=1"),
        RankedView("stars", from_top=True, count=1).of,
    ]
    assert all(make(one).tag != make(other).tag for make in made)


repositories = st.dictionaries(
    st.text("abcXYZ-_.", min_size=1, max_size=4).map(lambda name: f"Netflix/{name}"),
    st.integers(0, 3),  # few values, so many ties
    max_size=15,
)


def in_order(values: dict[str, int]) -> list[list[object]]:
    """Value descending, ties by name ascending: by selection, not by a sort key."""
    left, ordered = dict(values), []
    while left:
        best = max(left.values())
        name = min(name for name, value in left.items() if value == best)
        ordered.append([name, left.pop(name)])
    return [list(pair) for pair in ordered]


@given(repositories, st.integers(1, 20), st.sampled_from(RANKINGS))
def test_top_is_the_first_and_bottom_the_last_of_one_order(
    values: dict[str, int], count: int, metric: str
) -> None:
    entry, ordered = make_ranked_entry(values), in_order(values)
    top = RankedView(metric, from_top=True, count=count).of(entry)
    bottom = RankedView(metric, from_top=False, count=count).of(entry)
    assert json.loads(top.body) == ordered[:count]
    assert json.loads(bottom.body) == ordered[max(0, len(ordered) - count) :]


@given(repositories, st.integers(1, 20))
def test_a_view_is_written_as_json_dumps_writes_it(values: dict[str, int], count: int) -> None:
    body = RankedView("stars", from_top=False, count=count).of(make_ranked_entry(values)).body
    assert body.decode() == json.dumps(json.loads(body))


def test_a_golden_view() -> None:
    entry = make_ranked_entry({"Netflix/b": 7, "Netflix/a": 7, "Netflix/B": 7, "Netflix/z": 9})
    top = RankedView.parse("top", "3", "stars").of(entry)
    assert top.body == b'[["Netflix/z", 9], ["Netflix/B", 7], ["Netflix/a", 7]]'
    bottom = RankedView.parse("bottom", "2", "stars").of(entry)
    assert bottom.body == b'[["Netflix/a", 7], ["Netflix/b", 7]]'


def test_a_view_is_json_without_links_or_stored_compression() -> None:
    entry = compressed(make_ranked_entry({"a/b": 1}, content_type="application/vnd.x+json"))
    view = RankedView("forks", from_top=True, count=1).of(entry)
    assert view.content_type == "application/json; charset=utf-8"
    assert (view.encoded, view.links) == ({}, ())


@pytest.mark.parametrize(
    ("text", "count"),
    [("1", 1), ("10", 10), ("007", 7), ("999999999999999", 10**15 - 1)],
)
def test_a_count_is_a_whole_number_from_one(text: str, count: int) -> None:
    assert RankedView.parse("top", text, "forks") == RankedView("forks", from_top=True, count=count)


@pytest.mark.parametrize("text", ["9" * 16, "9" * 10_000, "0" * 10_000 + "1" * 30])
def test_a_count_beyond_any_list_gives_all(text: str) -> None:
    entry = make_ranked_entry({"a/b": 1, "a/c": 2})
    assert json.loads(RankedView.parse("bottom", text, "stars").of(entry).body) == [
        ["a/c", 2],
        ["a/b", 1],
    ]


@pytest.mark.parametrize(
    "text",
    ["0", "00", "-1", "+1", "1.5", "1.0", "1e3", "abc", "", " ", " 1", "1_0", "0x1", "\u0661",
     "\u00b2", "1\n", "0" * 10_000],
)  # fmt: skip
def test_any_other_count_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        RankedView.parse("top", text, "stars")
    assert len(refused.value.message) < 300


@pytest.mark.parametrize(
    ("direction", "metric"),
    [("top", "star"), ("top", "STARS"), ("top", ""), ("Top", "stars"), ("middle", "stars")],
)
def test_an_unknown_direction_or_metric_is_not_found(direction: str, metric: str) -> None:
    with pytest.raises(NotFound):
        RankedView.parse(direction, "5", metric)


def test_not_found_goes_before_bad_request() -> None:
    with pytest.raises(ApiError) as refused:
        RankedView.parse("middle", "x", "stars")
    assert refused.value.status == 404

"""Pages of an expanded list, and GitHub's `Link` to the others."""

import json
from urllib.parse import parse_qs, parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.errors import Unavailable
from reader.response.paging import page, split_query
from reader.response.representation import Representation
from tests.builders import compressed, make_entry, make_list_entry

numbers = st.integers(1, 12)


def ids(representation: Representation) -> list[int]:
    return [item["id"] for item in json.loads(bytes(representation.body))]


def relations(representation: Representation) -> dict[str, int]:
    """Relation to page, in the order in which they stand."""
    return {
        relation: int(parse_qs(query, strict_parsing=True)["page"][0])
        for relation, query in representation.links
    }


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
    ("query", "name", "selected"),
    [
        ("page=2", [], {"page": "2"}),
        ("per_page=5&page=", [], {"per_page": "5", "page": ""}),
        ("page", [], {"page": ""}),
        ("p%61ge=2", [], {"page": "2"}),
        ("", [], {}),
        ("&", [], {}),
        ("sort=updated", [("sort", "updated")], {}),
        ("page=2&sort=updated", [("sort", "updated")], {"page": "2"}),
        ("Page=2", [("Page", "2")], {}),
    ],
)
def test_a_query_names_a_list_and_selects_a_page_of_it(
    query: str, name: list[tuple[str, str]], selected: dict[str, str]
) -> None:
    assert split_query(query) == (name, selected)


def test_the_links_of_a_page_repeat_what_names_its_list() -> None:
    shown = page(make_list_entry(90), "state=open&page=2&labels=a%2Cb&per_page=30")
    assert [dict(parse_qsl(query)) for relation, query in shown.links if relation == "next"] == [
        {"state": "open", "labels": "a,b", "per_page": "30", "page": "3"}
    ]


def test_a_page_is_cut_from_the_plain_body_and_not_from_a_compressed_one() -> None:
    cut = page(compressed(make_list_entry(3)), "page=1&per_page=3")
    assert (cut.encoded, ids(cut)) == ({}, [1, 2, 3])


def test_a_list_that_was_stored_without_the_ends_of_its_items_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        page(make_entry(b"[]"), "page=1")

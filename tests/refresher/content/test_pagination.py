"""Which pages a list has."""

from dataclasses import replace

import pytest

from refresher.content.page import Body, Page
from refresher.content.pagination import beyond, following, is_mute, url_after, without_end
from tests.refresher.workbench import make_response

BASE = "https://api.github.com/organizations/1/repos?per_page=100&page="


def page(number: int, items: int, *, is_last: bool = False) -> Page:
    """A page of a list with a number of items."""
    next_url = None if is_last else f"{BASE}{number + 1}"
    return Page(f"{BASE}{number}", 'W/"1"', next_url, Body.of(b"[]"), items=items)


@pytest.mark.parametrize(
    ("links", "numbers"),
    [
        ({}, []),
        ({"next": f"{BASE}2"}, []),
        ({"last": f"{BASE}3"}, []),
        ({"next": f"{BASE}2", "last": f"{BASE}2"}, [2]),
        ({"next": f"{BASE}2", "last": f"{BASE}4"}, [2, 3, 4]),
        ({"next": f"{BASE}2", "last": f"{BASE}x"}, []),
        ({"next": f"{BASE}2", "last": f"{BASE}{'9' * 7}"}, []),
    ],
)
def test_the_first_page_s_links_number_the_others(
    links: dict[str, str], numbers: list[int]
) -> None:
    assert following(make_response(links=links)) == [f"{BASE}{number}" for number in numbers]


@pytest.mark.parametrize(
    ("status", "links", "expected"),
    [(200, {}, False), (304, {}, True), (304, {"next": f"{BASE}2"}, False)],
)
def test_only_a_304_without_links_says_nothing_about_pages(
    status: int, links: dict[str, str], *, expected: bool
) -> None:
    assert is_mute(make_response(status, links=links)) is expected


def test_after_a_full_last_page_there_may_be_another_one() -> None:
    assert beyond(page(3, 100)) == f"{BASE}4"
    assert beyond(page(3, 99)) is None
    first = "https://api.github.com/orgs/x/repos?per_page=100"
    assert beyond(replace(page(1, 100), url=first)) == f"{first}&page=2"


def test_a_list_goes_on_where_it_says_or_behind_a_full_page_that_says_nothing() -> None:
    assert url_after(page(2, 100), make_response(200)) == f"{BASE}3"
    full = page(2, 100, is_last=True)
    assert url_after(full, make_response(200)) is None
    assert url_after(full, make_response(304)) == f"{BASE}3"
    assert url_after(full, make_response(304, links={"first": f"{BASE}1"})) is None


def test_an_empty_last_page_is_kept_only_behind_a_full_one() -> None:
    one, two, empty = page(1, 100), page(2, 99), page(3, 0, is_last=True)
    last = replace(two, next_url=None)
    assert without_end([one, two, empty]) == [one, last]
    full = page(2, 100)
    assert without_end([one, full, empty]) == [one, replace(full, next_url=None), empty]
    assert without_end([one, last]) == [one, last]
    assert without_end([empty]) == [empty]

"""The items of a list that were added, removed and changed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from refresher.content.items import split
from refresher.content.list_changes import item_changes
from refresher.content.narrowing import Findings
from refresher.content.page import Body, Page
from refresher.content.page_index import PageIndex
from refresher.errors import StoredPageError
from shared.changes import MAX_NAMED, ItemChanges, ItemName
from shared.resources.kinds import MEMBERS, REPOSITORIES, Kind
from tests.refresher.workbench import ANYTHING, make_repository

Items = Sequence[Mapping[str, Any]]


def pages(*items_of_pages: Items, kind: Kind = REPOSITORIES) -> list[Page]:
    found = []
    for number, items in enumerate(items_of_pages, 1):
        body = json.dumps(list(items)).encode()
        index = PageIndex.of(split(body, ANYTHING, Findings(), kind=kind), kind)
        found.append(Page(f"http://a.test/{number}", None, None, Body.of(body)).with_index(index))
    return found


def repositories(*numbers: int, **members: Any) -> list[dict[str, Any]]:
    return [make_repository(number, **members) for number in numbers]


def test_each_way_is_told_with_id_and_name() -> None:
    before = pages(repositories(1, 2, 3), repositories(4))
    now = pages([*repositories(1), *repositories(3, stars=9)], repositories(4, 5))
    assert item_changes(before, now, REPOSITORIES) == ItemChanges(
        [ItemName(5, "Netflix/5")], [ItemName(2, "Netflix/2")], [ItemName(3, "Netflix/3")]
    )


def test_an_item_that_only_moved_is_not_told() -> None:
    before = pages(repositories(1, 2), repositories(3))
    assert item_changes(before, pages(repositories(3, 1), repositories(2)), REPOSITORIES) == (
        ItemChanges([], [], [])
    )


def test_a_page_that_is_gone_and_one_that_is_new_are_compared() -> None:
    short, long = pages(repositories(1)), pages(repositories(1), repositories(2))
    assert item_changes(short, long, REPOSITORIES) == ItemChanges(
        [ItemName(2, "Netflix/2")], [], []
    )
    assert item_changes(long, short, REPOSITORIES) == ItemChanges(
        [], [ItemName(2, "Netflix/2")], []
    )


def test_what_became_private_is_told_by_its_id_alone() -> None:
    before = pages(repositories(1, 2))
    now = pages([*repositories(1), *repositories(2, private=True, secret="x")])
    assert item_changes(before, now, REPOSITORIES) == ItemChanges([], [ItemName(2, None)], [])


def test_what_is_private_is_never_told() -> None:
    before = pages([*repositories(1), *repositories(2, private=True)])
    now = pages([*repositories(1), *repositories(2, 3, private=True, secret="x")])
    assert item_changes(before, now, REPOSITORIES) == ItemChanges([], [], [])
    assert item_changes(now, before, REPOSITORIES) == ItemChanges([], [], [])


def test_names_of_a_list_without_views_come_from_its_pages() -> None:
    before = pages([{"id": 1, "login": "ann"}, {"id": 2, "login": "bob"}], kind=MEMBERS)
    now = pages([{"id": 2, "login": "bob"}, {"id": 3, "login": "cyd"}], kind=MEMBERS)
    assert item_changes(before, now, MEMBERS) == ItemChanges(
        [ItemName(3, "cyd")], [ItemName(1, "ann")], []
    )


def test_nothing_is_known_without_stored_pages() -> None:
    assert item_changes([], pages(repositories(1)), REPOSITORIES) is None


def test_nothing_is_known_of_a_page_without_an_index() -> None:
    [page] = pages(repositories(1))
    bare = Page(page.url, None, None, page.body)
    assert item_changes([bare], [page], REPOSITORIES) is None


def test_a_damaged_index_is_no_index() -> None:
    def fail() -> PageIndex:
        raise StoredPageError

    [page] = pages(repositories(1))
    damaged = Page(page.url, None, None, page.body, load_index=fail)
    assert item_changes([damaged], [page], REPOSITORIES) is None


@pytest.mark.parametrize(("items", "is_told"), [(MAX_NAMED, True), (MAX_NAMED + 1, False)])
def test_so_many_are_named_and_no_more(items: int, *, is_told: bool) -> None:
    before, now = pages(repositories(1)), pages(repositories(*range(1, items + 2)))
    assert (item_changes(before, now, REPOSITORIES) is not None) == is_told

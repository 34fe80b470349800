"""A list in segments is the same whether it was cut anew or from what is stored."""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest

from refresher.content.items import split
from refresher.content.list_items import ListItems, PageItems
from refresher.content.narrowing import Findings
from refresher.content.page_index import PageIndex
from refresher.content.segmented_list import (
    NOTHING_STORED,
    Segmentation,
    Stored,
    etag_of,
    lasts_in,
    segmented,
)
from refresher.errors import StoredPageError
from shared.resources.kinds import MEMBERS, REPOSITORIES
from tests.refresher.workbench import ANYTHING, make_repository

Repository = Mapping[str, Any]


def page_of(repositories: Sequence[Repository]) -> PageItems:
    """A page that was downloaded."""
    body = json.dumps(repositories).encode()
    items = split(body, ANYTHING, Findings(), kind=REPOSITORIES)
    return PageItems.of(items, REPOSITORIES)


def again(page: PageItems) -> PageItems:
    """The page as it is stored; nothing of its texts can be read."""
    index, rows = page.index.packed(REPOSITORIES), page.index.load_rows()
    stored = PageIndex.from_packed(index, REPOSITORIES, lambda: rows)
    assert stored == page.index
    return PageItems(stored, page.texts)


def pages_of(repositories: Sequence[Repository]) -> ListItems:
    """The pages of a list."""
    places = range(0, len(repositories), 100)
    return ListItems([page_of(repositories[at : at + 100]) for at in places])


def world(random: Random, length: int) -> list[dict[str, Any]]:
    return [
        make_repository(
            number,
            private=random.random() < 0.05,
            stargazers_count=random.randrange(30),
            watchers_count=random.randrange(30),
            forks_count=0,
            open_issues_count=random.randrange(3),
            updated_at=f"2026-01-{random.randrange(1, 29):02}T00:00:00Z",
        )
        for number in range(length)
    ]


class Redis:
    """What is stored: the last segmentation, and the bodies of all."""

    def __init__(self) -> None:
        self.bodies: dict[bytes, bytes] = {}
        self.lasts: dict[str, bytes] = {}
        self.stored = NOTHING_STORED

    def write(self, made: Segmentation) -> None:
        self.bodies |= made.new
        self.lasts |= made.lasts
        lasts = {name: lasts_in(text) for name, text in self.lasts.items()}
        self.stored = Stored(made.manifests, made.digests, lasts, self.bodies.get)


def whole(items: ListItems) -> Segmentation:
    made = segmented(items, REPOSITORIES, None)
    assert made is not None
    return made.segmentation(NOTHING_STORED)


def test_changes_give_the_same_segments_as_a_whole_list() -> None:
    random, redis = Random(7), Redis()
    repositories = world(random, 950)
    before = pages_of(repositories)
    redis.write(whole(before))
    for _ in range(40):
        for _ in range(random.choice([1, 1, 5])):
            one = random.choice(repositories)
            match random.choice(["star", "star", "rename", "hide", "move"]):
                case "star":
                    one["stargazers_count"] = random.randrange(30)
                case "rename":
                    one["full_name"] = f"Netflix/other-{random.random()}"
                case "hide":
                    one["private"] = not one["private"]
                case "move":
                    repositories.remove(one)
                    repositories.insert(0, one)
        after = pages_of(repositories)
        made = segmented(after, REPOSITORIES, before)
        assert made is not None
        found, expected = made.segmentation(redis.stored), whole(after)
        redis.write(found)
        assert (found.manifests, found.digests) == (expected.manifests, expected.digests)
        assert redis.lasts == expected.lasts
        assert {name: redis.bodies[name] for name in expected.new} == expected.new
        before = ListItems([again(page) for page in after.pages])


def test_a_changed_page_needs_the_rows_of_no_other() -> None:
    random, redis = Random(3), Redis()
    repositories = world(random, 2000)
    before = pages_of(repositories)
    redis.write(whole(before))
    repositories[1050]["stargazers_count"] = 77
    asked: list[int] = []

    def counted(number: int, page: PageItems) -> PageItems:
        def rows() -> bytes:
            asked.append(number)
            return page.index.load_rows()

        packed = page.index.packed(REPOSITORIES)
        stored = PageIndex.from_packed(packed, REPOSITORIES, rows)
        assert stored is not None
        return PageItems(stored, page.texts)

    held = [counted(number, page) for number, page in enumerate(before.pages)]
    now = [*held[:10], page_of(repositories[1000:1100]), *held[11:]]
    made = segmented(ListItems(now), REPOSITORIES, ListItems(held))
    assert made is not None
    found = made.segmentation(redis.stored)
    assert asked == [10]
    assert set(found.lasts) == {"stars"}
    assert found.manifests == whole(pages_of(repositories)).manifests


def test_the_tag_depends_on_the_public_items_alone() -> None:
    repositories = world(Random(1), 250)
    found = etag_of(pages_of(repositories))
    public = [one for one in repositories if not one["private"]]
    assert etag_of(pages_of(public)) == found
    assert etag_of(pages_of(public[::-1])) != found
    assert etag_of(ListItems([])) == etag_of(ListItems([page_of([])]))


def test_an_index_of_another_release_or_kind_counts_as_none() -> None:
    index = page_of([make_repository(1)]).index
    packed = index.packed(REPOSITORIES)
    assert PageIndex.from_packed(packed, REPOSITORIES, index.load_rows) == index
    assert PageIndex.from_packed(packed, MEMBERS, index.load_rows) is None
    assert PageIndex.from_packed(packed, REPOSITORIES.on_demand, index.load_rows) is None
    with pytest.raises(StoredPageError):
        PageIndex.from_packed(packed[:-1], REPOSITORIES, index.load_rows)


def test_ids_that_are_no_small_numbers_are_kept() -> None:
    ids = [1, "a", 2**70, True]
    page = page_of([make_repository(1) | {"id": one} for one in ids])
    assert again(page).index.ids == ids


def test_rows_of_another_time_are_not_believed() -> None:
    index = page_of([make_repository(1)]).index
    other = page_of([make_repository(2)]).index.load_rows
    stored = PageIndex.from_packed(index.packed(REPOSITORIES), REPOSITORIES, other)
    assert stored is not None
    with pytest.raises(StoredPageError):
        _ = stored.rows

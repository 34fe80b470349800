"""A list is read page by page, each item once, until it is consistent."""

import json
from collections.abc import Generator, Hashable, Iterable, Sequence
from itertools import islice
from typing import Any

import pytest

from refresher.content.list_consistency import MAX_READINGS
from refresher.content.list_reader import (
    ListLimits,
    ListReader,
    PageRead,
    ReadAgain,
    ReadList,
    Step,
)
from refresher.content.page import Page
from refresher.errors import OriginError
from refresher.github.client import GitHubClient
from shared.clock import SYSTEM
from shared.outcomes import FailureKind
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeOrigin
from tests.refresher.workbench import ANYTHING, MEMBERS, REPOS, TOKEN

FIRST = "/orgs/Netflix/repos?per_page=100"
NUMERIC = "/organizations/913567/repos?per_page=100&page="
PAGES = [FIRST, NUMERIC + "2", NUMERIC + "3"]


def steps(
    origin: GitHubClient,
    resource: Resource = REPOS,
    *,
    known: Sequence[Page] = (),
    known_ids: Sequence[Hashable] = (),
    max_pages: int = 200,
    max_bytes: int = 10_000_000,
    concurrency: int = 1,
) -> Generator[Step, None, None]:
    """The steps of reading a list with the usual options."""
    limits = ListLimits(max_pages, max_bytes, concurrency)
    reader = ListReader(origin, resource, resource.path, ANYTHING, limits, SYSTEM)
    return reader.read(known, known_ids)


def read(origin: GitHubClient, resource: Resource = REPOS, **known: Any) -> ReadList:
    """Read a list to its end."""
    *_, found = steps(origin, resource, **known)
    assert isinstance(found, ReadList)
    return found


def progress(read: Iterable[Step]) -> list[tuple[int, int]]:
    """The number of each page that was read, and the number of all pages."""
    return [(step.number, step.pages) for step in read if isinstance(step, PageRead)]


def values(read: ReadList) -> list[Any]:
    """The items' values."""
    return [json.loads(text) for text in texts(read)]


def texts(read: ReadList) -> list[bytes]:
    """The items' texts, those of private ones included."""
    return [text for page in read.items.pages for text in page.texts()]


def asked(github: FakeGitHub) -> list[str]:
    """The paths of the requests, in order."""
    return [seen["path"] for seen in github.recent()]


def ids(items: list[dict[str, Any]]) -> list[Hashable]:
    """The items' ids."""
    return [item["id"] for item in items]


def test_a_calm_list_is_read_once_page_by_page(
    large_github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    found = read(make_origin(large_github.url))
    assert values(found) == large_github.repos()
    assert asked(large_github) == PAGES


def test_a_calm_list_that_was_known_is_read_once_too(
    large_github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    known = ids(large_github.repos())
    assert values(read(make_origin(large_github.url), known_ids=known)) == large_github.repos()
    assert asked(large_github) == PAGES


def test_a_list_of_exactly_full_pages_is_read_once(make_origin: MakeOrigin) -> None:
    with FakeGitHub(repos=200, members=1, anonymous_limit=1_000_000) as github:
        assert values(read(make_origin(github.url))) == github.repos()
        assert asked(github) == PAGES[:2]


def test_an_empty_list_is_a_list(make_origin: MakeOrigin) -> None:
    with FakeGitHub(repos=0, members=1, anonymous_limit=1_000_000) as github:
        assert texts(read(make_origin(github.url))) == []


def test_a_page_is_kept_with_what_a_later_conditional_request_needs(
    large_github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    origin = make_origin(large_github.url)
    pages = read(origin).pages
    url = large_github.url
    assert [page.url for page in pages] == [url + path for path in PAGES]
    assert [page.next_url for page in pages] == [url + PAGES[1], url + PAGES[2], None]
    responses = [origin.get(page.url) for page in pages]
    assert [page.etag for page in pages] == [response.headers["ETag"] for response in responses]
    assert [page.body.unpacked() for page in pages] == [response.body for response in responses]


def test_items_are_the_bytes_that_github_sent(
    large_github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    found = read(make_origin(large_github.url))
    joined = [b"[" + b",".join(texts(found)[at : at + 100]) + b"]"
              for at in (0, 100, 200)]  # fmt: skip
    assert joined == [page.body.unpacked() for page in found.pages]


@pytest.mark.parametrize("redirected", [True, False])
def test_members_are_read_whether_or_not_they_are_redirected(
    large_github: FakeGitHub, make_origin: MakeOrigin, *, redirected: bool
) -> None:
    large_github.configure(members_redirect=redirected)
    assert values(read(make_origin(large_github.url), MEMBERS)) == large_github.members()


def test_with_a_token_private_items_are_read_and_marked(make_origin: MakeOrigin) -> None:
    with FakeGitHub(repos=110, private=4, members=1) as github:
        found = read(make_origin(github.url, github_api_token=TOKEN))
        assert values(found) == github.repos(private=True, role="owner")
        assert len(found.items.ids) - len(found.items) == 4


class TestAMovingList:
    """If items move while the list is read, none is lost and none is there twice."""

    CHANGES: tuple[tuple[str, int, str, dict[str, Any]], ...] = (
        ("an item moves to the front", 1, "move", {"repo": 220, "to": 0}),
        ("an item moves to the back", 1, "move", {"repo": 0, "to": 220}),
        ("an item moves back by a page", 1, "move", {"repo": 50, "to": 150}),
        ("an item moves between later pages", 2, "move", {"repo": 240, "to": 150}),
        ("an item is added at the front", 1, "add", {}),
        ("an item is added at the front, late", 2, "add", {}),
        ("an item is added at the end", 1, "add", {"where": "end"}),
        ("an item of the first page is deleted", 1, "delete", {"repo": 10}),
        ("an item of the second page is deleted", 2, "delete", {"repo": 110}),
        ("an item to come is deleted", 1, "delete", {"repo": 210}),
        ("an item turns private", 1, "make_private", {"repo": 10}),
        ("the list loses its last page", 1, "set_repos", {"count": 200}),
        ("the list shrinks to one page", 1, "set_repos", {"count": 100}),
    )

    @pytest.mark.parametrize(
        ("page", "kind", "options"),
        [change[1:] for change in CHANGES],
        ids=[change[0] for change in CHANGES],
    )
    def test_is_read_again_until_it_is_whole(
        self,
        large_github: FakeGitHub,
        make_origin: MakeOrigin,
        page: int,
        kind: str,
        options: dict[str, Any],
    ) -> None:
        known = ids(large_github.repos())
        large_github.script(REPOS.path, page, kind, **options)
        found = read(make_origin(large_github.url), known_ids=known)
        assert values(found) == large_github.repos()
        assert len(set(found.items.ids)) == len(found.items.ids)

    def test_that_moves_in_every_reading_but_the_last_is_believed_at_the_last(
        self, large_github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        large_github.script(REPOS.path, 1, "move", repo=220, to=0, times=MAX_READINGS - 1)
        assert values(read(make_origin(large_github.url))) == large_github.repos()
        assert large_github.page_requests(FIRST) == MAX_READINGS

    def test_that_never_settles_is_given_up(
        self, large_github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        large_github.script(REPOS.path, 1, "move", repo=220, to=0, times=None)
        with pytest.raises(OriginError) as refused:
            read(make_origin(large_github.url))
        assert refused.value.kind is FailureKind.UNSETTLED
        assert large_github.page_requests(FIRST) == MAX_READINGS

    def test_that_lost_an_item_between_refreshes_is_confirmed_by_a_second_reading(
        self, large_github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        known = ids(large_github.repos())
        large_github.mutate("delete", repo=100)
        assert values(read(make_origin(large_github.url), known_ids=known)) == large_github.repos()
        assert asked(large_github) == PAGES * 2


def test_of_a_link_to_another_host_path_and_query_count(
    large_github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    with FakeGitHub(repos=250, members=1) as elsewhere:
        large_github.fault("foreign_link", url=elsewhere.url, times=2)
        found = read(make_origin(large_github.url, github_api_token=TOKEN))
        assert values(found) == large_github.repos(role="owner")
        assert asked(large_github) == PAGES
        assert elsewhere.counters()["total"] == 0


class TestAListThatIsNone:
    """Lists that are refused."""

    def refusal(self, origin: GitHubClient, **options: Any) -> OriginError:
        with pytest.raises(OriginError) as refused:
            read(origin, **options)
        return refused.value

    def test_it_may_not_lead_back_to_its_beginning(
        self, large_github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        large_github.fault("link_loop")
        error = self.refusal(make_origin(large_github.url))
        assert error.kind is FailureKind.UNEXPECTED
        assert large_github.counters()["total"] == 2

    def test_it_may_have_as_many_pages_as_allowed_and_no_more(
        self, large_github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        origin = make_origin(large_github.url)
        assert len(read(origin, max_pages=3).items) == 250
        large_github.reset_counters()
        error = self.refusal(origin, max_pages=2)
        assert error.kind is FailureKind.TOO_LARGE
        assert "LIST_MAX_PAGES" in error.reason
        assert asked(large_github) == PAGES[:2]

    def test_it_may_be_as_long_as_allowed_with_a_full_last_page(
        self, make_origin: MakeOrigin
    ) -> None:
        """Then it is not known beforehand whether another page follows: a 304 has no `Link`."""
        with FakeGitHub(repos=200, members=3) as github:
            origin = make_origin(github.url)
            first = read(origin, max_pages=2)
            github.mutate("star", repo=20)
            known: dict[str, Any] = {"known": first.pages, "known_ids": first.items.ids}
            known["max_pages"] = 2
            assert values(read(origin, **known)) == github.repos()
            github.mutate("add")
            assert self.refusal(origin, **known).kind is FailureKind.TOO_LARGE

    @pytest.mark.parametrize(
        ("fault", "options", "kind"),
        [
            ("status", {"status": 500}, FailureKind.STATUS),
            ("status", {"status": 404}, FailureKind.STATUS),
            ("html", {"status": 200}, FailureKind.NOT_JSON),
            ("garbage", {}, FailureKind.NOT_JSON),
            ("empty", {}, FailureKind.NOT_JSON),
            ("unframed", {"after_bytes": 1000}, FailureKind.CONNECTION),
            ("wrong_shape", {}, FailureKind.UNEXPECTED),
            ("wrong_shape", {"body": '[{"id": 1}]'}, FailureKind.UNEXPECTED),
            ("truncate", {}, FailureKind.CONNECTION),
        ],
    )
    def test_one_bad_page_spoils_it(
        self,
        large_github: FakeGitHub,
        make_origin: MakeOrigin,
        fault: str,
        options: dict[str, Any],
        kind: FailureKind,
    ) -> None:
        large_github.fault(fault, path="&page=2$", **options)
        assert self.refusal(make_origin(large_github.url)).kind is kind
        assert asked(large_github) == PAGES[:2]


def test_a_list_of_too_many_bytes_is_refused(
    large_github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    whole = sum(map(len, texts(read(make_origin(large_github.url)))))
    read(make_origin(large_github.url), max_bytes=whole)
    with pytest.raises(OriginError) as refused:
        read(make_origin(large_github.url), max_bytes=whole - 1)
    assert refused.value.kind is FailureKind.TOO_LARGE
    assert "LIST_MAX_BYTES" in refused.value.reason


class TestConcurrency:
    """Several pages are requested at once, if the settings allow it."""

    @pytest.mark.parametrize("concurrency", [2, 8])
    def test_a_list_is_the_same_and_costs_the_same(
        self, large_github: FakeGitHub, make_origin: MakeOrigin, concurrency: int
    ) -> None:
        origin = make_origin(large_github.url, github_concurrency=concurrency)
        found = read(origin, concurrency=concurrency)
        assert values(found) == large_github.repos()
        assert sorted(asked(large_github)) == sorted(PAGES)

    def test_known_pages_are_asked_for_at_once_and_one_change_is_one_download(
        self, large_github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        origin = make_origin(large_github.url, github_api_token=TOKEN, github_concurrency=4)
        first = read(origin)
        large_github.mutate("star", repo=120)
        large_github.reset_counters()
        ids = first.items.ids
        again = read(origin, known=first.pages, known_ids=ids, concurrency=4)
        assert values(again) == large_github.repos(role="owner")
        assert large_github.counters()["total"] == 3
        assert large_github.counters()["points"] == 1

    def test_a_list_that_is_too_long_is_refused_without_asking_for_all_of_it(
        self, large_github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        with pytest.raises(OriginError) as refused:
            read(make_origin(large_github.url), max_pages=2, concurrency=4)
        assert refused.value.kind is FailureKind.TOO_LARGE
        assert large_github.counters()["total"] <= 2

    def test_nothing_is_asked_for_before_the_first_step_is_wanted(
        self, large_github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        steps(make_origin(large_github.url), concurrency=4).close()
        assert large_github.counters()["total"] == 0


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_list_may_be_given_up_after_its_first_page(
    large_github: FakeGitHub, make_origin: MakeOrigin, concurrency: int
) -> None:
    reading = steps(make_origin(large_github.url), concurrency=concurrency)
    assert progress(islice(reading, 1)) == [(1, 3)]
    reading.close()
    assert large_github.counters()["total"] == 1


def test_a_list_that_moved_is_said_to_be_read_again(
    large_github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    large_github.script(REPOS.path, 1, "move", repo=220, to=0)
    found = list(steps(make_origin(large_github.url)))
    assert [type(step) for step in found] == [*[PageRead] * 3, ReadAgain, *[PageRead] * 3, ReadList]


class TestProgress:
    """Each step says which page of how many was read."""

    @pytest.mark.parametrize("concurrency", [1, 4])
    def test_is_told_after_each_page(
        self, large_github: FakeGitHub, make_origin: MakeOrigin, concurrency: int
    ) -> None:
        pages = [(1, 3), (2, 3), (3, 3)]
        reading = steps(make_origin(large_github.url), concurrency=concurrency)
        for page in pages:
            assert progress(islice(reading, 1)) == [page]
            if concurrency == 1:
                assert large_github.counters()["total"] == page[0]
        assert progress(reading) == []
        assert progress(steps(make_origin(large_github.url), MEMBERS)) == [(1, 2), (2, 2)]

    def test_is_told_of_pages_that_did_not_change(
        self, large_github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        origin = make_origin(large_github.url, github_api_token=TOKEN)
        first = read(origin)
        large_github.mutate("star", repo=120)
        known = first.items.ids
        again = steps(origin, known=first.pages, known_ids=known)
        assert progress(again) == [(1, 3), (2, 3), (3, 3)]

    def test_never_is_beyond_the_end_of_a_list_that_grows_meanwhile(
        self, large_github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        large_github.script(REPOS.path, 1, "set_repos", count=310)
        pages = progress(steps(make_origin(large_github.url)))
        assert (4, 4) in pages
        assert all(page <= of for page, of in pages)

    def test_of_one_page_is_of_no_interest(
        self, github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        page, read = steps(make_origin(github.url))
        assert isinstance(page, PageRead)
        assert not page.is_one_of_several
        assert isinstance(read, ReadList)

"""`ON_DEMAND_OWNERS`: whose content may be asked for."""

from urllib.parse import quote

import pytest

from shared.resources.catalogue import Catalogue

NARROW = Catalogue(("Netflix",), on_demand_owners=("Mona", "octo-org"))
EVERYBODYS = Catalogue(("Netflix",))


def is_served(path: str, query: str = "") -> bool:
    assert EVERYBODYS.find(path, query) is not None, "served when everybody's content is"
    return NARROW.find(path, query) is not None


@pytest.mark.parametrize("owner", ["mona", "MONA", "Octo-Org", "netflix"])
def test_what_names_such_an_owner_is_served_in_any_case(owner: str) -> None:
    for path in (f"/users/{owner}", f"/orgs/{owner}/repos", f"/repos/{owner}/x/issues",
                 f"/networks/{owner}/x/events", f"/users/{owner}/following/stranger"):  # fmt: skip
        assert is_served(path)


@pytest.mark.parametrize("owner", ["stranger", "mona2", "netflix-oss", "mona%20"])
def test_what_names_another_owner_is_not(owner: str) -> None:
    for path in (f"/users/{owner}", f"/orgs/{owner}", f"/repos/{owner}/mona/contents/mona"):
        assert not is_served(path)


@pytest.mark.parametrize(
    "path", ["/emojis", "/meta", "/licenses/mit", "/gitignore/templates", "/advisories", "/"]
)
def test_what_is_githubs_own_is_served(path: str) -> None:
    assert is_served(path)


@pytest.mark.parametrize(
    "path",
    ["/users", "/organizations", "/repositories", "/events", "/gists/public", "/user/7",
     "/apps/mona", "/repositories/7", "/repositories/7/issues", "/organizations/7/repos",
     "/organizations/7/members/mona", "/user/7/repos", "/user/7/following/mona"],
)  # fmt: skip
def test_lists_of_everybody_and_ids_are_refused(path: str) -> None:
    assert not is_served(path)


@pytest.mark.parametrize(
    "words",
    ["cache user:mona", "org:Netflix", "repo:octo-org/x is:open", "user:mona org:netflix stars:>5"],
)
@pytest.mark.parametrize("kind", ["repositories", "issues", "commits"])
def test_a_search_that_is_confined_to_such_owners_is_served(kind: str, words: str) -> None:
    assert is_served(f"/search/{kind}", f"q={quote(words)}&per_page=5")


@pytest.mark.parametrize(
    "words",
    [
        "cache", "", "user:stranger", "user:mona user:stranger", "mona", "user: mona",
        "cache OR user:mona", "user:mona or cache", "-user:mona", "NOT user:mona",
        '"user:mona"', "'user:mona'", "(user:mona)", "x(user:mona)", "user:mona,user:stranger",
        "user:mona x,org:stranger", "user:mona\\", "xuser:mona", "user:mona/x/y",
        "user:mona enterprise:e",
    ],
)  # fmt: skip
def test_any_other_search_is_refused(words: str) -> None:
    assert not is_served("/search/issues", f"q={quote(words)}")


def test_a_search_with_two_questions_or_of_another_kind_is_refused() -> None:
    assert not is_served("/search/issues", "q=user:mona&q=cache")
    assert not is_served("/search/issues", "per_page=5")
    assert not is_served("/search/topics", "q=user:mona")
    assert not is_served("/search/labels", "q=user:mona&repository_id=7")


def test_a_job_cannot_name_what_is_refused() -> None:
    assert NARROW.named("/users/stranger") is None
    assert NARROW.named("/users/mona") is not None


def test_what_is_tracked_is_always_served() -> None:
    assert [NARROW.find(one.path) for one in NARROW.tracked] == list(NARROW.tracked)

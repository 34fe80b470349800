"""What TRACK names: paths, their kinds, and why some are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.resources import kinds
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import Kind
from shared.resources.operations import operations
from shared.resources.resource import Resource
from shared.resources.tracked_paths import MOST_PATHS, kind_of
from shared.settings import load
from tests.fakegithub.openapi_schemas import document

RELEASES = "/repos/netflix/hystrix/releases"


def tracking(*paths: str, orgs: tuple[str, ...] = ("Netflix",)) -> Catalogue:
    return Catalogue(orgs, track=paths)


def named(*paths: str, orgs: tuple[str, ...] = ("Netflix",)) -> list[Resource]:
    return [one for one in tracking(*paths, orgs=orgs).tracked if one.kind.is_named]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("/repos/Netflix/Hystrix/releases", RELEASES),
        ("/Repos/netflix/HYSTRIX/Releases", RELEASES),
        ("/users/Octocat", "/users/octocat"),
        ("/repos/a/b/issues?state=open&sort=updated", "/repos/a/b/issues?sort=updated&state=open"),
        ("/repos/a/b/issues?labels=x%2Cy", "/repos/a/b/issues?labels=x%2Cy"),
        ("/repos/a/b/contents/Docs/README.md", "/repos/a/b/contents/Docs/README.md"),
        ("/repos/a/b/contents/docs/", "/repos/a/b/contents/docs"),
        ("/repositories/7/releases", "/repositories/7/releases"),
    ],
)
def test_a_path_has_one_name(written: str, name: str) -> None:
    (resource,) = named(written)
    assert resource.name == name
    assert resource.tracked
    path, _, query = written.partition("?")
    assert tracking(written).find(path, query) == resource
    assert tracking(written).named(resource.name) == resource


def test_org_stands_for_each_of_orgs() -> None:
    found = named("/orgs/{org}/public_members", "/search/issues?q=org:{org}", orgs=("a", "B"))
    assert [one.name for one in found] == [
        *("/orgs/a/public_members", "/orgs/b/public_members"),
        *("/search/issues?q=org%3Aa", "/search/issues?q=org%3AB"),
    ]


def test_a_path_is_tracked_once_and_what_orgs_tracks_stays_as_it_is() -> None:
    everything = ("/", "/orgs/{org}", "/orgs/netflix/repos", "/orgs/Netflix/members")
    assert tracking(*everything).tracked == tracking().tracked
    assert len(named("/users/octocat", "/Users/OctoCat")) == 1
    assert tracking("/users/a").tracked[:-1] == tracking().tracked


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("/users/octocat", kinds.NAMED_OBJECT),
        ("/repos/a/b", kinds.NAMED_OBJECT),
        ("/repos/a/b/releases", kinds.NAMED_LIST),
        ("/repos/a/b/issues?state=open", kinds.NAMED_LIST),
        ("/orgs/a/public_members", kinds.NAMED_LIST),
        ("/orgs/a/repos", kinds.NAMED_REPOSITORIES_OF_AN_ORGANISATION),
        ("/orgs/a/repos?type=sources", kinds.NAMED_REPOSITORIES_OF_AN_ORGANISATION),
        ("/users/a/repos", kinds.NAMED_REPOSITORIES),
        ("/repos/a/b/forks", kinds.NAMED_REPOSITORIES),
        # Objects that hold a list, an array of files or a file, arrays without pages.
        ("/search/repositories?q=x", kinds.NAMED_OBJECT),
        ("/repos/a/b/actions/runs", kinds.NAMED_OBJECT),
        ("/repos/a/b/contents/docs", kinds.NAMED_OBJECT),
        ("/repos/a/b/stats/contributors", kinds.NAMED_OBJECT),
        ("/gitignore/templates", kinds.NAMED_OBJECT),
    ],
)
def test_what_github_sends_in_pages_is_a_list(written: str, kind: Kind) -> None:
    (resource,) = named(written)
    assert resource.kind == kind


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("repos/a/b", "paths begin with /"),
        ("https://api.github.com/users/a", "paths begin with /"),
        ("/nonsense", "is no path of GitHub's API"),
        ("/users/a/", "is no path of GitHub's API"),
        ("/user/repos", "is not served"),
        ("/orgs/a/hooks", "is not served"),
        ("/rate_limit", "is not served"),
        ("/users/a?access_token=x", "is not served"),
        ("/repos/a/b/issues?page=2", "page or per_page"),
        ("/repos/a/b/issues?state=open&per_page=100", "page or per_page"),
        ("/users", "without an end"),
        ("/repos/a/b/tarball/main", "archive"),
        ("/repos/{owner}/b", "braces"),
        ("/repos/a/b#media=raw", "braces"),
        ("/repos/a/b\n/users", "braces"),
        ("/repos/a/\udc80", "braces"),
        ("/repos/a/b/contents/" + "x" * 2000, "too long"),
    ],
)
def test_what_cannot_be_tracked_is_named_in_one_line(written: str, reason: str) -> None:
    with pytest.raises(SettingsError) as error:
        Catalogue.of(load(track=("/users/octocat", written)))
    message = str(error.value)
    assert message.startswith(f"TRACK: {written[:200]!a} ")
    assert reason in message
    assert message.isprintable()
    assert "octocat" not in message


def test_there_are_bounds_to_what_is_tracked() -> None:
    every = tuple(f"/users/u{number}" for number in range(MOST_PATHS))
    assert len(named(*every, *every)) == MOST_PATHS
    for one_more in ((*every, "/users/x"), (*every[1:], "/orgs/{org}/public_members")):
        with pytest.raises(SettingsError, match="more than 1000 paths"):
            Catalogue.of(load(orgs=("a", "b"), track=one_more))


pieces = st.sampled_from(
    [
        *("/", "//", "?", "&", "=", "#", ".", "%2F", "%3F", "%25", "%", "%00", "%FF", "+", " "),
        *("{org}", "{", "repos", "orgs", "users", "netflix", "Hystrix", "issues", "releases"),
        *("contents", "search", "state", "open", "q", "page", "per_page", "ä", "\udc80"),
    ]
)


@given(st.lists(pieces, max_size=12).map("".join).map("/{}".format) | st.text())
def test_whatever_is_written_is_refused_or_found_by_its_name(written: str) -> None:
    refusal = ""
    try:
        catalogue = Catalogue.of(load(track=(written,)))
    except SettingsError as error:
        refusal = str(error)
    if refusal:
        assert refusal.startswith("TRACK: ")
        assert refusal.isprintable()
        return
    resource = catalogue.tracked[-1]
    assert resource.tracked
    assert resource.is_allowed
    assert catalogue.named(resource.name) == resource
    path, _, query = written.replace("{org}", "Netflix").partition("?")
    found = catalogue.find(path, query)
    assert found is not None
    assert found.tracked


def test_it_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACK", " /users/a , /repos/a/b/issues?labels=x%2Cy,, ")
    found = Catalogue.of(load()).tracked[-2:]
    assert [one.name for one in found] == ["/users/a", "/repos/a/b/issues?labels=x%2Cy"]


def test_another_version_is_kept_on_demand_and_another_media_type_page_by_page() -> None:
    catalogue = tracking("/repos/a/b/releases")
    tracked = catalogue.find("/repos/a/b/releases")
    assert tracked is not None
    version = tracked.represented(media="", version="2026-03-10")
    media = tracked.represented(media="full", version="")
    assert version is not None
    assert media is not None
    assert (version.tracked, version.kind.is_expanded) == (False, True)
    assert media.kind == kinds.ON_DEMAND
    for one in (version, media):
        assert not one.kind.is_named
        assert catalogue.named(one.name) == one


def test_owners_that_may_be_asked_for_do_not_bound_what_is_tracked() -> None:
    narrow = Catalogue(("Netflix",), on_demand_owners=("mona",), track=("/users/octocat",))
    found = narrow.find("/users/Octocat")
    assert found is not None
    assert found.tracked
    assert narrow.find("/users/octocat/repos") is None


def test_a_list_is_what_github_documents_per_page_for() -> None:
    paged = {name: "per_page" in query for name, *query in document()["operations"].values()}
    asked = [one for one in operations() if one.is_asked]
    wrong = [one.path for one in asked if kind_of(one).is_expanded and not paged[one.id]]
    assert wrong == ["/repositories"]  # which has no end, and is refused
    assert sum(kind_of(one).is_expanded for one in asked) > 60

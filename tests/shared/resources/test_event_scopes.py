"""The scopes of on-demand content: names in any case, ids, and an area for each path."""

import pytest

from shared.resources.event_scopes import Area, digest_of, scopes_of
from shared.resources.operations import operations
from shared.resources.resource_name import segments_of
from tests.builders import on_demand, tracked


def scopes(path: str) -> tuple[str, ...]:
    """The scopes of a resource."""
    resource = on_demand(path)
    assert resource.operation is not None
    return scopes_of(resource.operation.path, segments_of(resource.path) or [])


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("", "about"),
        ("/topics", "about"),
        ("/commits", "code"),
        ("/commits/main", "code"),
        ("/commits/main/status", "checks"),
        ("/commits/main/check-runs", "checks"),
        ("/commits/main/comments", "comments"),
        ("/commits/main/pulls", "pulls"),
        ("/contents/src/a.py", "code"),
        ("/tarball/v1", "code"),
        ("/git/refs/heads/main", "refs"),
        ("/git/trees/main", "code"),
        ("/issues/5/comments", "issues"),
        ("/milestones", "issues"),
        ("/pulls", "pulls"),
        ("/pulls/7", "pull"),
        ("/pulls/7/files", "pulls"),
        ("/actions/runs/5/jobs", "actions"),
        ("/releases/latest", "releases"),
        ("/stargazers/count", "stars"),
    ],
)
def test_each_path_below_a_repository_has_an_area(path: str, area: str) -> None:
    assert scopes(f"/repos/Netflix/Hystrix{path}") == (
        "owner:netflix",
        "repo:netflix/hystrix",
        f"repo:netflix/hystrix {area}",
    )
    assert scopes(f"/repositories/2126{path}") == ("repo:#2126", f"repo:#2126 {area}")


@pytest.mark.parametrize(
    ("path", "whole", "area"),
    [
        ("/orgs/Another", "owner:another", "about"),
        ("/orgs/ANOTHER/repos", "owner:another", "repos"),
        ("/orgs/Netflix/public_members/Bob", "owner:netflix", "members"),
        ("/organizations/913567/repos", "owner:#913567", "repos"),
        ("/users/Octocat", "owner:octocat", "about"),
        ("/users/Octocat/starred", "owner:octocat", "starred"),
        ("/users/Octocat/events/public", "owner:octocat", "events"),
        ("/user/583231", "owner:#583231", "about"),
    ],
)
def test_so_has_each_path_below_an_owner(path: str, whole: str, area: str) -> None:
    assert scopes(path) == (whole, f"{whole} {area}")


@pytest.mark.parametrize("path", ["/emojis", "/search/users", "/users", "/licenses"])
def test_what_belongs_to_nobody_lies_in_no_scope(path: str) -> None:
    assert on_demand(path).event_scopes == ()


def test_tracked_content_lies_in_no_scope() -> None:
    assert tracked("/orgs/Netflix/repos").event_scopes == ()


def test_every_served_path_below_a_repository_or_an_owner_lies_in_scopes() -> None:
    for operation in operations():
        parts = operation.path.split("/")[1:]
        if operation.is_asked and parts[0] in {"repos", "orgs", "users"} and len(parts) > 1:
            *_, whole, area = scopes_of(operation.path, parts)
            assert area.removeprefix(f"{whole} ") in set(Area)


def test_scopes_are_stored_as_digests_and_the_query_does_not_matter() -> None:
    plain, filtered = (on_demand(f"/repos/a/b/issues{end}") for end in ("", "?state=open"))
    assert plain.event_scopes == filtered.event_scopes
    assert plain.event_scopes[0] == "*"
    assert plain.event_scopes[1:] == tuple(map(digest_of, scopes("/repos/a/b/issues")))
    assert all(len(digest) == 20 for digest in plain.event_scopes[1:])

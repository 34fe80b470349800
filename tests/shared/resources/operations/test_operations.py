"""A path is what GitHub's description takes it for, and nothing else is served."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.resources.operations import Decision, operation_at, operations

REPO = ["repos", "o", "r"]


def id_at(path: str) -> str | None:
    """The operation at a path; None where there is none."""
    found = operation_at([segment for segment in path.split("/") if segment])
    return found.id if found else None


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/", "meta/root"),
        ("/orgs/o", "orgs/get"),
        ("/ORGS/o/Repos", "repos/list-for-org"),
        ("/repos/o/r/releases/latest", "repos/get-latest-release"),
        ("/repos/o/r/releases/17", "repos/get-release"),
        ("/repos/o/r/releases/tags/v1", "repos/get-release-by-tag"),
        ("/repos/o/r/releases/tags/a/b/c", "repos/get-release-by-tag"),
        ("/repos/o/r/issues/comments", "issues/list-comments-for-repo"),
        ("/repos/o/r/issues/7/comments", "issues/list-comments"),
        ("/repos/o/r/contents", "repos/get-content"),
        ("/repos/o/r/contents/a/b/protection/c", "repos/get-content"),
        ("/repos/o/r/branches/feature/x", "repos/get-branch"),
        ("/repos/o/r/branches/main/protection", "repos/get-branch-protection"),
        ("/repos/o/r/branches/feature/x/protection", "repos/get-branch-protection"),
        ("/repos/o/r/commits/heads/main/status", "repos/get-combined-status-for-ref"),
        ("/repos/o/r/commits/heads/main", "repos/get-commit"),
        ("/repos/o/r/compare/a/b...c/d", "repos/compare-commits-with-basehead"),
        ("/repos/o/r/git/matching-refs/heads/feature", "git/list-matching-refs"),
        ("/user/7", "users/get-by-id"),
        ("/gists/public", "gists/list-public"),
        ("/gists/aa5a315d61ae9438b18d", "gists/get"),
    ],
)
def test_the_most_literal_template_that_matches_is_meant(path: str, operation: str) -> None:
    assert id_at(path) == operation


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/orgs",
        "/user/emails/7",
        "/user/abc",  # an account is a number
        "/user/\u0667",  # a digit, but none of GitHub's
        "/repos/o",
        "/repos/o/r/issues/abc",
        "/repos/o/r/releases/tags",
        "/repos/o/r/releases/latest/assets",
        "/repos/o/r/settings",
        "/repos/o/r/branches/main/protection/anything",
        "/repos/o/r/branches/x/protection/y/z",
        "/repos/o/r/branches/x/y/Protection/z",
        "/repos/o/r/commits/main/pulls/7",
        "/repos/o/r/actions/secrets/x/y/z",
        "/gists/starred/x",
    ],
)
def test_what_github_does_not_document_does_not_exist(path: str) -> None:
    assert id_at(path) is None


@given(st.lists(st.sampled_from(["a", "1", "protection", "pulls", "status"]), max_size=6))
def test_nothing_below_a_branch_s_protection_passes_for_a_branch(rest: list[str]) -> None:
    found = operation_at([*REPO, "branches", "main", "protection", *rest])
    assert found is None or found.decision is Decision.REFUSED


def test_every_template_finds_itself() -> None:
    for operation in operations():
        segments = [
            segment if not segment.startswith("{") else "7" if is_number(segment) else "x"
            for segment in operation.path.split("/")
            if segment
        ]
        found = operation_at(segments)
        assert found is not None
        # GitHub describes the comparison of two commits twice.
        assert operation.id in {found.id, "repos/compare-commits"}


def is_number(parameter: str) -> bool:
    """Whether a number can stand for a parameter; it can stand for texts, too."""
    return parameter.endswith(("_id}", "_number}"))


@pytest.mark.parametrize(
    ("path", "query", "allowed"),
    [
        ("/orgs/o/members", "page=2&per_page=5", True),
        ("/orgs/o/members", "filter=2fa_disabled", False),
        ("/orgs/o/members", "ROLE=admin", False),
        ("/orgs/o/members", "page=2&role=", False),
        ("/orgs/o/repos", "role=x", True),
        ("/users/o", "access_token=x", False),
        ("/users/o", "Client_Secret=x", False),
        ("/users/o", "tokens=x", True),
    ],
)
def test_queries_that_ask_for_more_or_hold_a_secret_are_refused(
    path: str, query: str, *, allowed: bool
) -> None:
    operation = operation_at(path.split("/")[1:])
    assert operation is not None
    assert operation.allows(query) is allowed


def test_members_are_asked_for_as_the_public_ones() -> None:
    operation = operation_at(["orgs", "net%2Fflix", "members"])
    assert operation is not None
    assert operation.path_to_ask("/orgs/net%2Fflix/members") == "/orgs/net%2Fflix/public_members"

"""The stand-in GitHub has both versions of the API, with what the newer one took away."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakegithub.api import ask
from tests.fakegithub.api_versions import NEWER, OLDER, changed
from tests.fakegithub.client import FakeGitHub
from tests.http_client import Response

REPO = "/repos/Netflix/Hystrix"


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=3, members=5, anonymous_limit=10**6, token_limit=10**6) as server:
        yield server


def both(github: FakeGitHub, path: str, token: str | None = None) -> list[Response]:
    """The responses of the older version and of the newer one."""
    return [
        ask(github, path, {"X-GitHub-Api-Version": version}, token=token)
        for version in (OLDER, NEWER)
    ]


def test_the_selected_version_is_named_and_the_older_one_is_the_default(
    github: FakeGitHub,
) -> None:
    named = [one.headers["x-github-api-version-selected"] for one in both(github, REPO)]
    assert named == [OLDER, NEWER]
    assert ask(github, REPO).headers["x-github-api-version-selected"] == OLDER
    assert ask(github, REPO).body == both(github, REPO)[0].body


def test_an_unknown_version_is_refused_in_githubs_words(github: FakeGitHub) -> None:
    response = ask(github, REPO, {"X-GitHub-Api-Version": "v3"})
    assert response.status == 400
    assert response.json == {
        "message": "Bad Request",
        "errors": 'The version you specified in the "X-GitHub-API-Version" request header, "v3", '
        "is not a supported version. The following versions are currently supported: "
        '"2026-03-10" (most recent) and "2022-11-28".',
        "documentation_url": "https://docs.github.com/rest",
        "status": "400",
    }


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("/", {"authorizations_url", "hub_url"}),
        ("/rate_limit", {"rate"}),
        (REPO, {"has_downloads"}),
        (f"{REPO}/issues/1", {"assignee"}),
        (f"{REPO}/pulls/1", {"assignee", "merge_commit_sha"}),
        ("/gists/aa5a315d61ae9438b18d", {"forks", "history", "user"}),
        ("/advisories/GHSA-abcd-1234-efgh", {"cvss"}),
    ],
)
def test_the_newer_version_lacks_what_was_removed(
    github: FakeGitHub, path: str, gone: set[str]
) -> None:
    older, newer = (one.json for one in both(github, path))
    assert set(older) - set(newer) <= gone
    assert set(older) - set(newer)
    assert not gone & set(newer)


def test_what_was_removed_is_removed_in_lists_and_at_any_depth(github: FakeGitHub) -> None:
    older, newer = both(github, "/orgs/Netflix/repos")
    assert "has_downloads" in older.json[0]
    assert newer.json == [
        {key: value for key, value in one.items() if key != "has_downloads"} for one in older.json
    ]
    assert older.headers["etag"] != newer.headers["etag"]
    owned = both(github, REPO, "owner")
    assert "use_squash_pr_title_as_default" in owned[0].json
    assert b"use_squash_pr_title_as_default" not in owned[1].body


def test_a_submodule_in_a_directory_is_called_one_by_the_newer_version(github: FakeGitHub) -> None:
    types = [one.json[0]["type"] for one in both(github, f"{REPO}/contents/vendor")]
    assert types == ["file", "submodule"]
    single = [one.json["type"] for one in both(github, f"{REPO}/contents/vendor/lib")]
    assert single == ["submodule", "submodule"]


def test_a_server_may_have_one_version_only() -> None:
    with FakeGitHub(repos=1, members=1, api_versions=[OLDER]) as github:
        older, newer = both(github, "/")
        assert (older.status, newer.status) == (200, 400)
        assert newer.json["errors"].endswith('supported: "2022-11-28" (most recent).')


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, {"a": [{"full_name": "a/b"}]}])
def test_what_has_nothing_to_remove_is_the_same(value: Any) -> None:
    assert changed(value, NEWER) == value

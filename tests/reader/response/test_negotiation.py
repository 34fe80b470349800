"""Which representation `Accept` and `X-GitHub-Api-Version` choose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.errors import BadRequest, Forbidden, UnsupportedMediaType
from reader.response.negotiation import fields_of, negotiated
from shared.resources.resource import Resource
from tests.builders import CATALOGUE

README = Resource("/repos/a/b/readme")
ISSUE = Resource("/repos/a/b/issues/1")
COMMIT = Resource("/repos/a/b/commits/main")
USER, ZEN = Resource("/users/a"), Resource("/zen")
ASSET = Resource("/repos/a/b/releases/assets/1")


def media(resource: Resource, accept: str | None) -> str:
    return negotiated(resource, accept=accept, version=None).media


@pytest.mark.parametrize(
    ("resource", "accept", "expected"),
    [
        (README, None, ""),
        (README, "", ""),
        (README, "*/*", ""),
        (README, "application/json", ""),
        (README, "application/vnd.github+json", ""),
        (README, "application/vnd.github.v3+json", ""),
        (README, "application/vnd.github.mercy-preview+json", ""),
        (README, "application/vnd.github.v4+json", ""),
        (README, "application/vnd.github.2022-11-28+json", ""),
        (README, "application/vnd.github.cloak2.raw", ""),
        (README, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ""),
        (README, "application/vnd.github.raw+json", "raw"),
        (README, "application/vnd.github.v3.raw", "raw"),
        (README, "application/vnd.github.VERSION.raw", "raw"),
        (README, "Application/Vnd.GitHub.RAW", "raw"),
        (README, "application/vnd.github.html", "html"),
        (README, "application/vnd.github.v3.html; charset=utf-8", "html"),
        (README, "application/vnd.github.raw;q=0.2, application/json;q=0.9", ""),
        (README, "application/vnd.github.raw, application/json", "raw"),
        (README, "text/plain, application/vnd.github.raw;q=0.1", "raw"),
        (README, "application/vnd.github.raw;q=0, application/json;q=0.1", ""),
        (README, "application/vnd.github.diff", ""),  # a README has none
        (README, "not a media type", ""),
        (ISSUE, "application/vnd.github.raw+json", ""),  # what an issue is anyway
        (ISSUE, "application/vnd.github.full+json", "full"),
        (ISSUE, "application/vnd.github.squirrel-girl-preview, application/json", ""),
        (COMMIT, "application/vnd.github.v3.diff", "diff"),
        (COMMIT, "application/vnd.github.patch", "patch"),
        (COMMIT, "application/vnd.github.VERSION.sha", "sha"),
        (
            Resource("/repos/a/b/comments/1"),
            "application/vnd.github-commitcomment.html+json",
            "html",
        ),
        (Resource("/users/a/starred"), "application/vnd.github.v3.star+json", "star"),
        (Resource("/search/code"), "application/vnd.github.text-match+json", ""),
        (
            Resource("/search/users", "q=a"),
            "application/vnd.github.v3.text-match+json",
            "text-match",
        ),
        (USER, "application/vnd.github.raw", ""),
        (ASSET, "application/json", ""),
        (ZEN, "application/vnd.github+json", ""),
        (ZEN, "text/plain", ""),
        (ZEN, "text/*", ""),
    ],
)
def test_the_best_that_github_has_is_chosen(
    resource: Resource, accept: str | None, expected: str
) -> None:
    assert media(resource, accept) == expected


@pytest.mark.parametrize(
    "accept", ["text/html", "text/*", "image/png, text/plain", "application/xml", "*/*;q=0"]
)
def test_415_if_nothing_can_be_sent(accept: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="Must accept 'application/json'"):
        media(USER, accept)


def test_the_file_of_a_release_is_refused_in_words() -> None:
    with pytest.raises(Forbidden, match="not the file"):
        media(ASSET, "application/octet-stream")
    with pytest.raises(UnsupportedMediaType):
        media(USER, "application/octet-stream")


def test_a_version_is_a_resource_of_its_own_unless_it_is_the_settings() -> None:
    for version in (None, "", "2022-11-28", " 2022-11-28 "):
        assert negotiated(USER, accept=None, version=version) == USER
    newer = negotiated(USER, accept=None, version="2026-03-10")
    assert (newer.name, newer.api_version) == ("/users/a#version=2026-03-10", "2026-03-10")
    assert newer.id != USER.id


@pytest.mark.parametrize("version", ["v3", "2021-01-01", "2026-03-1\u0660", "x" * 5000])
def test_an_unknown_version_is_a_bad_request_that_names_the_known_ones(version: str) -> None:
    with pytest.raises(BadRequest, match='"2026-03-10", "2022-11-28"') as raised:
        negotiated(USER, accept=None, version=version)
    assert len(raised.value.message) < 250


def test_another_version_of_tracked_content_is_kept_on_demand_in_the_same_form() -> None:
    repos = CATALOGUE.find("/orgs/Netflix/repos")
    assert repos is not None
    newer = negotiated(repos, accept=None, version="2026-03-10")
    assert repos.tracked
    assert not newer.tracked
    assert newer.kind.is_expanded
    assert newer.kind.rankings == repos.kind.rankings
    assert CATALOGUE.named(newer.name) == newer


def test_a_response_says_what_it_is() -> None:
    assert fields_of(README) == {
        "X-GitHub-Media-Type": "github.v3; format=json",
        "X-GitHub-Api-Version-Selected": "2022-11-28",
    }
    diff = negotiated(COMMIT, accept="application/vnd.github.diff", version="2026-03-10")
    assert fields_of(diff) == {
        "X-GitHub-Media-Type": "github.v3; param=diff",
        "X-GitHub-Api-Version-Selected": "2026-03-10",
    }


fragments = st.sampled_from(
    ["application", "/", "vnd.github", ".", "v3", "raw", "diff", "+json", "json", "*", ";", ",",
     " ", "q=", "0", "1", "0.5", "text", "html", "\t", '"', "é", "\ud800"]
)  # fmt: skip


@given(
    st.sampled_from([README, ISSUE, COMMIT, USER, ASSET]),
    st.text() | st.lists(fragments, max_size=20).map("".join),
    st.text() | st.sampled_from(["2022-11-28", "2026-03-10"]),
)
def test_no_fields_choose_more_than_few_representations(
    resource: Resource, accept: str, version: str
) -> None:
    try:
        found = negotiated(resource, accept=accept, version=version)
    except (BadRequest, Forbidden, UnsupportedMediaType):
        return
    assert found.media in {"", "raw", "html", "text", "full", "diff", "patch", "sha"}
    assert found.version in {"", "2026-03-10"}
    assert CATALOGUE.named(found.name) == found

"""Names, media types and API versions: an answer is GitHub's own for the same request."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess

REPO = "/repos/Netflix/Hystrix"
# Media types of an issue that are sent as JSON; the cache does not tell them apart.
SAME_AS_JSON = ("raw+json", "symmetra-preview+json")
WITHHELD = {"temp_clone_token"}
NEWER = {"X-GitHub-Api-Version": "2026-03-10"}


def accepting(name: str) -> Mapping[str, str]:
    return {"Accept": f"application/vnd.github.{name}"}


@pytest.fixture(scope="module")
def origin() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(anonymous_limit=1_000_000) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(origin: FakeGitHubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("fleet"), origin.url) as started:
        started.worker()
        yield started


@pytest.fixture(scope="module")
def reader(fleet: Fleet) -> Reader:
    return fleet.healthy_reader()


def assert_public(answer: Any, expected: Any) -> None:
    """An answer is GitHub's, without the members that hold nothing for an anonymous client."""
    assert answer == {key: value for key, value in expected.items() if key in answer}
    assert set(expected) - set(answer) <= WITHHELD


def ask_github(
    origin: FakeGitHubProcess, path: str, headers: Mapping[str, str]
) -> requests.Response:
    sent = {"User-Agent": "test", **headers}
    return requests.get(f"{origin.url}{path}", headers=sent, timeout=60)


@pytest.mark.parametrize(
    "path",
    [
        f"{REPO}/contents/docs/index.md",
        f"{REPO}/contents/docs%2Findex.md",
        f"{REPO}/contents/docs%2findex.md",
        f"{REPO}/contents/",
        f"{REPO}/contents/docs/",
        f"{REPO}/contents/docs?ref=feature%2Flogin",
        f"{REPO}/branches/feature%2Flogin",
        f"{REPO}/branches/feature/login",
        f"{REPO}/git/ref/heads%2Fmain",
        f"{REPO}/git/ref/heads/feature/login",
        f"{REPO}/commits/feature%2Flogin",
        f"{REPO}/compare/main...feature%2Flogin",
        f"{REPO}/labels/no%2Fsuch",
        f"{REPO}/contents/no%2Fsuch",
    ],
)
def test_a_path_names_what_it_names_at_github(
    reader: Reader, origin: FakeGitHubProcess, path: str
) -> None:
    expected = ask_github(origin, path, {})
    answer = reader.get(path)
    assert answer.status_code == expected.status_code
    if expected.ok:
        assert answer.json() == expected.json()
    else:
        assert answer.json()["message"] == expected.json()["message"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{REPO}/readme", "raw+json"),
        (f"{REPO}/readme", "v3.raw"),
        (f"{REPO}/readme", "html"),
        (f"{REPO}/contents/docs/index.md", "raw"),
        (f"{REPO}/contents/docs", "object"),
        (f"{REPO}/contents/docs", "raw"),  # a folder has no bytes
        (f"{REPO}/commits/main", "diff"),
        (f"{REPO}/commits/main", "patch"),
        (f"{REPO}/commits/main", "sha"),
        (f"{REPO}/compare/main...feature%2Flogin", "diff"),
        (f"{REPO}/compare/main...feature%2Flogin", "v3.patch"),
        (f"{REPO}/issues/1", "full+json"),
        (f"{REPO}/issues/1", "html+json"),
        (f"{REPO}/issues/1", "text+json"),
        *((f"{REPO}/issues/1", name) for name in SAME_AS_JSON),
    ],
)
def test_a_media_type_is_sent_as_github_sends_it(
    reader: Reader, origin: FakeGitHubProcess, path: str, name: str
) -> None:
    canonical = name.replace("v3.", "")
    if "issues" not in path:
        canonical = canonical.removesuffix("+json")  # the form in which the cache asks
    expected = ask_github(origin, path, accepting(canonical))
    assert expected.ok
    answer = reader.get(path, headers=accepting(name))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == expected.headers["Content-Type"]
    if name not in SAME_AS_JSON:
        assert answer.headers["X-GitHub-Media-Type"] == expected.headers["X-GitHub-Media-Type"]
    if answer.headers["Content-Type"].startswith("application/json"):
        assert answer.json() == expected.json()
    else:
        assert answer.content == expected.content
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert {"Accept", "X-GitHub-Api-Version"} <= set(answer.headers["Vary"].split(", "))


@pytest.mark.parametrize("accept", ["*/*", "application/vnd.github+json", "text/plain, */*;q=0.1"])
def test_what_github_writes_as_text_is_sent_as_text(
    reader: Reader, origin: FakeGitHubProcess, accept: str
) -> None:
    for path in ("/zen", "/octocat"):
        expected = ask_github(origin, path, {})
        answer = reader.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.content) == (200, expected.content)
        assert answer.headers["Content-Type"] == expected.headers["Content-Type"]
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize("path", [f"{REPO}/tarball", f"{REPO}/zipball/"])
def test_an_archive_without_a_name_is_that_of_the_default_branch(reader: Reader, path: str) -> None:
    default = reader.get(REPO).json()["default_branch"]
    named = reader.get(f"{path.removesuffix('/')}/{default}", allow_redirects=False)
    answer = reader.get(path, allow_redirects=False)
    assert answer.status_code == named.status_code == 302
    assert answer.headers["Location"] == named.headers["Location"]


@pytest.mark.parametrize("path", ["/users?since=10", "/organizations", "/repositories?since=1"])
def test_a_list_by_ids_has_githubs_links(
    reader: Reader, origin: FakeGitHubProcess, path: str
) -> None:
    expected = ask_github(origin, path, {}).headers["Link"].replace(origin.url, reader.url)
    assert "{?since}" in expected
    assert reader.get(path).headers["Link"] == expected


def test_a_validator_of_one_representation_is_none_of_another(reader: Reader) -> None:
    path = f"{REPO}/readme"
    as_json = reader.get(path)
    tag = {"If-None-Match": as_json.headers["ETag"]}
    assert reader.get(path, headers=tag).status_code == 304
    raw = reader.get(path, headers={**tag, **accepting("raw")})
    assert raw.status_code == 200
    assert raw.content.startswith(b"# Hystrix")
    again = {**accepting("v3.raw+json"), "If-None-Match": raw.headers["ETag"]}
    assert reader.get(path, headers=again).status_code == 304


def test_however_a_media_type_is_written_github_is_asked_once(
    reader: Reader, origin: FakeGitHubProcess
) -> None:
    path = f"{REPO}/contents/LICENSE"
    before = origin.page_requests(path.lower().replace("license", "LICENSE"))
    for name in ("raw", "v3.raw", "raw+json", "VERSION.raw"):
        assert reader.get(path, headers=accepting(name)).status_code == 200
    after = origin.page_requests(path.lower().replace("license", "LICENSE"))
    assert after - before <= 1


@pytest.mark.parametrize("path", [REPO, f"{REPO}/issues/1", "/orgs/Netflix"])
def test_a_version_is_sent_as_github_sends_it(
    reader: Reader, origin: FakeGitHubProcess, path: str
) -> None:
    for headers in ({}, {"X-GitHub-Api-Version": "2022-11-28"}, NEWER):
        expected = ask_github(origin, path, headers)
        answer = reader.get(path, headers=headers)
        assert_public(answer.json(), expected.json())
        selected = "X-GitHub-Api-Version-Selected"
        assert answer.headers[selected] == expected.headers[selected]


def test_another_version_of_a_tracked_list_is_expanded_sliced_and_ranked(reader: Reader) -> None:
    whole = reader.get("/orgs/Netflix/repos").json()
    newer = reader.get("/orgs/Netflix/repos", headers=NEWER)
    assert [repo["id"] for repo in newer.json()] == [repo["id"] for repo in whole]
    page = reader.get("/orgs/Netflix/repos?per_page=3&page=2", headers=NEWER)
    assert page.json() == newer.json()[3:6]
    assert 'rel="next"' in page.headers["Link"]
    view = reader.get("/view/top/3/stars", headers=NEWER)
    assert view.json() == reader.get("/view/top/3/stars").json()


def test_an_unknown_version_and_an_unknown_type_are_refused_as_github_does(
    reader: Reader, origin: FakeGitHubProcess
) -> None:
    for headers in ({"X-GitHub-Api-Version": "v3"}, {"Accept": "text/html"}):
        expected = ask_github(origin, REPO, headers)
        answer = reader.get(REPO, headers=headers)
        assert answer.status_code == expected.status_code
        assert expected.status_code in {400, 415}


@pytest.mark.parametrize(
    ("by_name", "by_number"),
    [
        (REPO, "/repositories/{repo}"),
        (f"{REPO}/issues?per_page=2", "/repositories/{repo}/issues?per_page=2"),
        ("/users/Netflix", "/user/{owner}"),
        ("/orgs/Netflix", "/organizations/{owner}"),
    ],
)
def test_a_number_names_the_same_as_a_name(
    reader: Reader, origin: FakeGitHubProcess, by_name: str, by_number: str
) -> None:
    repo = reader.get(REPO).json()
    path = by_number.format(repo=repo["id"], owner=repo["owner"]["id"])
    expected = ask_github(origin, path, {})
    assert expected.ok
    assert reader.get(path).json() == reader.get(by_name).json()


def test_the_default_version_is_a_setting(tmp_path: Path, origin: FakeGitHubProcess) -> None:
    with Fleet(tmp_path, origin.url, GITHUB_API_VERSION="2026-03-10") as newer:
        newer.worker()
        reader = newer.healthy_reader()
        assert (
            reader.get("/orgs/Netflix").json() == ask_github(origin, "/orgs/Netflix", NEWER).json()
        )
        assert reader.get("/view/top/3/stars").ok
        former = {"X-GitHub-Api-Version": "2022-11-28"}
        assert_public(
            reader.get(REPO, headers=former).json(), ask_github(origin, REPO, former).json()
        )

"""The stand-in GitHub serves the representations that `Accept` selects, and names them."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.fakegithub.api import ask
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.etag import weak_etag
from tests.fakegithub.media_types import selected

REPO = "/repos/Netflix/Hystrix"
VND = "application/vnd.github"


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=3, members=5, anonymous_limit=10**6, token_limit=10**6) as server:
        yield server


@pytest.mark.parametrize(
    ("accept", "param", "label"),
    [
        (None, "", "github.v3; format=json"),
        ("*/*", "", "github.v3; format=json"),
        ("application/json", "", "github.v3; format=json"),
        (f"{VND}+json", "", "github.v3; format=json"),
        (f"{VND}.v3+json", "", "github.v3; format=json"),
        (f"{VND}.raw", "raw", "github.v3; param=raw"),
        (f"{VND}.raw+json", "raw", "github.v3; param=raw; format=json"),
        (f"{VND}.v3.diff", "diff", "github.v3; param=diff"),
        (f"{VND}.v3.star+json", "star", "github.v3; param=star; format=json"),
        (f"{VND}.mercy-preview+json", "", "github.mercy-preview; format=json"),
        (f"{VND.upper()}.SHA", "sha", "github.v3; param=sha"),
        ("text/html, application/json;q=0.9, */*;q=0.8", "", "github.v3; format=json"),
        (f"application/json;q=0.5, {VND}.html;q=0.7", "html", "github.v3; param=html"),
        (f"application/json, {VND}.html", "", "github.v3; format=json"),
    ],
)
def test_a_media_type_is_selected_and_named(accept: str | None, param: str, label: str) -> None:
    found = selected(accept)
    assert found is not None
    assert (found.param, found.label) == (param, label)


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "x", f"{VND}.raw;q=0"])
def test_an_accept_without_a_type_that_github_has_is_415(github: FakeGitHub, accept: str) -> None:
    response = ask(github, REPO, {"Accept": accept})
    assert response.json == {
        "message": f"Unsupported 'Accept' header: '{accept}'. Must accept 'application/json'.",
        "documentation_url": "https://docs.github.com/v3/media",
        "status": "415",
    }
    assert response.status == 415


@pytest.mark.parametrize(
    ("path", "param", "start"),
    [
        ("/contents/docs/guide/start.md", "raw", "# Start\n\nÜber".encode()),
        ("/contents/logo.png", "raw", b"\x89PNG"),
        ("/contents/README.md", "html", b'<div id="file"'),
        ("/readme", "raw", b"# Hystrix\n"),
        ("/readme/docs", "html", b'<div id="file"'),
        ("/commits/main", "diff", b"diff --git a/"),
        ("/commits/main", "patch", b"From "),
        ("/compare/topic...main", "diff", b"diff --git a/"),
        ("/compare/topic...main", "patch", b"From "),
        ("/pulls/1", "diff", b"diff --git a/"),
        ("/pulls/1", "patch", b"From "),
    ],
)
@pytest.mark.parametrize("suffix", ["", "+json"])
def test_a_text_has_the_type_that_was_asked_for(
    github: FakeGitHub, path: str, param: str, start: bytes, suffix: str
) -> None:
    written = f"{VND}.{param}{suffix}"
    response = ask(github, REPO + path, {"Accept": written})
    assert response.status == 200
    assert response.body.startswith(start)
    assert response.headers["content-type"] == f"{written}; charset=utf-8"
    assert response.headers["etag"] == weak_etag({"accept": written}, response.body)
    assert response.headers["vary"].startswith("Accept, ")
    again = ask(github, REPO + path, {"Accept": written, "If-None-Match": response.headers["etag"]})
    assert again.status == 304
    other = ask(github, REPO + path, {"If-None-Match": response.headers["etag"]})
    assert (other.status, other.headers["content-type"]) == (200, "application/json; charset=utf-8")


def test_the_id_of_a_commit_is_40_digits_and_nothing_else(github: FakeGitHub) -> None:
    response = ask(github, f"{REPO}/commits/feature%2Flogin", {"Accept": f"{VND}.sha"})
    assert response.headers["content-type"] == f"{VND}.sha; charset=utf-8"
    assert len(response.body) == 40
    assert ask(github, f"{REPO}/commits/{response.body.decode()}").json["sha"] == (
        response.body.decode()
    )


def test_a_directory_is_a_list_or_an_object(github: FakeGitHub) -> None:
    listed = ask(github, f"{REPO}/contents/docs").json
    assert [one["type"] for one in listed] == ["file", "file", "dir", "file", "file"]
    whole = ask(github, f"{REPO}/contents/docs", {"Accept": f"{VND}.object"})
    assert (whole.json["type"], whole.json["entries"]) == ("dir", listed)
    assert whole.headers["content-type"] == "application/json; charset=utf-8"
    # A directory has no raw form.
    assert ask(github, f"{REPO}/contents/docs", {"Accept": f"{VND}.raw"}).json == listed


def test_a_file_above_a_megabyte_comes_raw_only(github: FakeGitHub) -> None:
    path = f"{REPO}/contents/data.bin"
    body = ask(github, path).json
    assert (body["content"], body["encoding"], body["size"]) == ("", "none", 1_100_000)
    assert len(ask(github, path, {"Accept": f"{VND}.raw"}).body) == 1_100_000


def test_a_blob_is_served_raw_under_the_id_that_git_gives_it(github: FakeGitHub) -> None:
    sha = ask(github, f"{REPO}/contents/src/main.py").json["sha"]
    raw = ask(github, f"{REPO}/git/blobs/{sha}", {"Accept": f"{VND}.raw"})
    header = b"blob %d\0" % len(raw.body)
    assert hashlib.sha1(header + raw.body).hexdigest() == sha


@pytest.mark.parametrize(
    ("param", "keys"),
    [
        ("raw", {"body"}),
        ("text", {"body_text"}),
        ("html", {"body_html"}),
        ("full", {"body", "body_text", "body_html"}),
    ],
)
@pytest.mark.parametrize(
    "path",
    ["/releases", "/releases/latest", "/pulls/1", "/issues/1", "/issues/1/comments", "/comments/1"],
)
def test_comment_bodies_have_the_properties_that_were_asked_for(
    github: FakeGitHub, path: str, param: str, keys: set[str]
) -> None:
    response = ask(github, REPO + path, {"Accept": f"{VND}.{param}+json"})
    one = response.json[0] if isinstance(response.json, list) else response.json
    assert {key for key in one if key.startswith("body")} == keys
    assert response.headers["x-github-media-type"] == f"github.v3; param={param}; format=json"
    assert response.headers["content-type"] == "application/json; charset=utf-8"


def test_rendered_bodies_tell_more_to_those_who_see_what_they_refer_to(github: FakeGitHub) -> None:
    for param, differs in (("html", True), ("full", True), ("text", False), ("raw", False)):
        accept: dict[str, str | None] = {"Accept": f"{VND}.{param}+json"}
        public, owned = (
            ask(github, f"{REPO}/issues/1", accept, token=t).json for t in (None, "owner")
        )
        keys = [key for key in public if key.startswith("body")]
        assert any(public[key] != owned[key] for key in keys) == differs
        assert "A private matter" not in str(public)


def test_a_parameter_that_a_path_does_not_have_gives_json(github: FakeGitHub) -> None:
    plain, raw = (ask(github, REPO, {"Accept": a}) for a in ("application/json", f"{VND}.raw"))
    assert plain.json == raw.json
    assert plain.headers["etag"] != raw.headers["etag"]


def test_a_release_file_is_elsewhere_and_only_that_is_served_as_octets(github: FakeGitHub) -> None:
    octets: dict[str, str | None] = {"Accept": "application/octet-stream"}
    asset = ask(github, f"{REPO}/releases/latest").json["assets"][0]
    response = ask(github, urlsplit(asset["url"]).path, octets)
    assert (response.status, response.body) == (302, b"")
    assert response.headers["location"].startswith("https://release-assets.githubusercontent.com/")
    assert ask(github, f"{REPO}/tarball/main", octets).status == 415


@pytest.mark.parametrize(("kind", "suffix"), [("tarball", "tar.gz"), ("zipball", "zip")])
def test_an_archive_is_elsewhere_with_a_token_for_those_who_have_one(
    github: FakeGitHub, kind: str, suffix: str
) -> None:
    place = f"https://codeload.github.com/Netflix/Hystrix/legacy.{suffix}/refs/heads/main"
    anonymous, authorised = (ask(github, f"{REPO}/{kind}/main", token=t) for t in (None, "t"))
    assert (anonymous.status, anonymous.headers["location"]) == (302, place)
    assert authorised.headers["location"].startswith(f"{place}?token=")
    assert ask(github, f"{REPO}/{kind}/nope").status == 404
    assert ask(github, f"{REPO}/{kind}").status == 302


def test_archives_and_release_files_may_be_here_as_well() -> None:
    with FakeGitHub(repos=3, private=1, members=2, codeload="self", assets="self") as github:
        repos = {repo["private"]: repo for repo in github.repos(private=True)}
        for repo in repos.values():
            path = f"/repos/{repo['full_name']}"
            place = ask(github, f"{path}/tarball/main", token="owner").headers["location"]
            assert place.startswith(f"{github.url}/_codeload/{repo['full_name']}/legacy.tar.gz/")
            with tarfile.open(fileobj=io.BytesIO(ask(github, place).body)) as archive:
                assert any(name.endswith("/docs/index.md") for name in archive.getnames())
            without = ask(github, place.partition("?")[0])
            assert without.status == (404 if repo["private"] else 200)
            assert not [name for name in without.headers if name.startswith("x-ratelimit")]
        path = f"/repos/{repos[False]['full_name']}"
        with zipfile.ZipFile(io.BytesIO(ask(github, archive_place(github, path)).body)) as zipped:
            assert zipped.testzip() is None
        asset = ask(github, f"{path}/releases/latest").json["assets"][0]
        octets: dict[str, str | None] = {"Accept": "application/octet-stream"}
        place = ask(github, urlsplit(asset["url"]).path, octets).headers["location"]
        assert len(ask(github, place).body) == asset["size"]
        assert ask(github, place[:-1]).status == 403


def archive_place(github: FakeGitHub, path: str) -> str:
    """Where the zip archive of a repository is."""
    return ask(github, f"{path}/zipball/main").headers["location"]

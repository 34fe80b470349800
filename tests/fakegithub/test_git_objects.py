"""The stand-in GitHub serves a repository's files, commits, branches and tags, by any spelling."""

from base64 import b64decode
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.fakegithub.api import all_pages, ask
from tests.fakegithub.client import FakeGitHub

REPO = "/repos/Netflix/Hystrix"


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=3, members=5, private=1, anonymous_limit=10**6) as server:
        yield server


@pytest.mark.parametrize(
    ("spelling", "usual"),
    [
        ("contents/docs%2Findex.md", "contents/docs/index.md"),
        ("contents/docs%2fguide%2Fstart.md", "contents/docs/guide/start.md"),
        ("contents/docs/", "contents/docs"),
        ("contents/", "contents"),
        ("readme/docs%2F", "readme/docs"),
        ("branches/feature%2Flogin", "branches/feature/login"),
        ("git/ref/heads%2Ffeature%2Flogin", "git/ref/heads/feature/login"),
        ("git/ref/heads%2Fmain", "git/ref/heads/main"),
        ("git/refs/heads%2Ffeature%2Flogin", "git/ref/heads/feature/login"),
        ("git/refs", "git/matching-refs/"),
        ("git/refs/heads/feature", "git/matching-refs/heads/feature"),
        ("compare/feature%2Flogin...main", "compare/feature/login...main"),
        ("commits/feature%2Flogin", "commits/feature/login"),
        ("contents/docs/a%20b%2Bc%26d%23e.txt", "contents/docs/a%20b+c&d%23e.txt"),
    ],
)
def test_a_slash_of_a_name_may_be_encoded(github: FakeGitHub, spelling: str, usual: str) -> None:
    responses = [ask(github, f"{REPO}/{path}") for path in (spelling, usual)]
    assert [one.status for one in responses] == [200, 200]
    assert responses[0].body == responses[1].body


@pytest.mark.parametrize(
    "path", ["/repos%2FNetflix/Hystrix", "/repos/Netflix%2FHystrix", "/orgs/Netflix%2Frepos"]
)
def test_an_encoded_slash_divides_no_path(github: FakeGitHub, path: str) -> None:
    assert ask(github, path).status == 404


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("contents/nope.md", 404, "Not Found"),
        ("contents/README.md?ref=nope", 404, "No commit found for the ref nope"),
        ("branches/nope", 404, "Branch not found"),
        ("commits/nope", 422, "No commit found for SHA: nope"),
        ("git/ref/heads/nope", 404, "Not Found"),
        ("git/ref/main", 404, "Not Found"),
        ("git/refs/main", 404, "Not Found"),
        ("compare/main...nope", 404, "Not Found"),
        ("git/trees/nope", 404, "Not Found"),
    ],
)
def test_what_is_missing_has_githubs_words(
    github: FakeGitHub, path: str, status: int, message: str
) -> None:
    response = ask(github, f"{REPO}/{path}")
    assert (response.status, response.json["message"]) == (status, message)


def test_every_address_of_a_tree_leads_on(github: FakeGitHub) -> None:
    """By the addresses in bodies, from the root of the files to every file and back."""
    seen: dict[str, str] = {}
    ahead = [f"{REPO}/contents"]
    while ahead:
        body = ask(github, ahead.pop()).json
        for one in body:
            found = ask(github, tail(one["url"])).json
            if one["type"] == "dir":
                ahead.append(tail(one["url"]))
                assert ask(github, tail(one["git_url"])).json["sha"] == one["sha"]
            elif "submodule_git_url" not in one:
                blob = ask(github, tail(found["git_url"])).json
                seen[one["path"]] = b64decode(blob["content"]).decode(errors="replace")
    assert seen["docs/guide/start.md"] == "# Start\n\nÜber *naïve* users.\n"
    assert {"README.md", "docs/a b+c&d#e.txt", "latest.md", "logo.png"} <= set(seen)
    root = ask(github, f"{REPO}/git/trees/main?recursive=1").json
    blobs = {one["path"] for one in root["tree"] if one["type"] == "blob"}
    assert blobs == set(seen)


def tail(url: str) -> str:
    """An address without scheme and host."""
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def test_a_symbolic_link_leads_to_its_file(github: FakeGitHub) -> None:
    linked = ask(github, f"{REPO}/contents/latest.md").json
    assert (linked["type"], linked["path"]) == ("file", "README.md")


def test_commits_are_paged_and_lead_to_each_other(github: FakeGitHub) -> None:
    found = all_pages(github, f"{REPO}/commits")
    assert len(found) == 64
    assert [one["parents"][0]["sha"] for one in found[:-1]] == [one["sha"] for one in found[1:]]
    one = ask(github, tail(found[5]["url"])).json
    assert {key: one[key] for key in found[5]} == found[5]
    assert one["stats"] == {"total": 2, "additions": 1, "deletions": 1}
    assert ask(github, tail(one["files"][0]["contents_url"])).status == 200
    since = found[9]["commit"]["author"]["date"]
    assert len(ask(github, f"{REPO}/commits?since={since}").json) == 10
    assert ask(github, f"{REPO}/commits?sha=feature/login").json[0] == found[3]
    git = ask(github, tail(one["commit"]["url"])).json
    assert git["sha"] == one["sha"]


def test_a_push_adds_a_commit_and_moves_the_default_branch() -> None:
    with FakeGitHub(repos=1, members=2) as github:
        before = ask(github, f"{REPO}/commits").json
        github.mutate("push", repo="Hystrix")
        after = ask(github, f"{REPO}/commits").json
        assert after[1:] == before[:-1]
        assert ask(github, f"{REPO}/branches/main").json["commit"]["sha"] == after[0]["sha"]


def test_branches_tags_and_refs_name_the_same_commits(github: FakeGitHub) -> None:
    for one in ask(github, f"{REPO}/branches").json:
        name = one["name"].replace("/", "%2F")
        assert ask(github, f"{REPO}/branches/{name}").json["commit"]["sha"] == one["commit"]["sha"]
        ref = ask(github, f"{REPO}/git/ref/heads%2F{name}").json
        assert ref["object"]["sha"] == one["commit"]["sha"]
        assert ask(github, tail(one["commit"]["url"])).status == 200
    tags = ask(github, f"{REPO}/tags").json
    releases = ask(github, f"{REPO}/releases").json
    assert [one["name"] for one in tags] == [one["tag_name"] for one in releases]
    assert ask(github, tail(tags[0]["tarball_url"])).status == 302
    matching = ask(github, f"{REPO}/git/matching-refs/heads%2Ffeature").json
    assert [one["ref"] for one in matching] == ["refs/heads/feature/login"]


def test_what_lies_below_a_commit_or_a_branch_is_found(github: FakeGitHub) -> None:
    for path in ("commits/feature%2Flogin/check-runs", "commits/main/status"):
        assert ask(github, f"{REPO}/{path}").status == 200
    assert ask(github, f"{REPO}/branches/main/protection", token="owner").status == 200
    link = ask(github, f"{REPO}/commits/feature%2Flogin/comments?per_page=1&page=2").links
    assert "/commits/feature%2Flogin/comments?" in link["first"]


def test_paths_by_id_are_those_by_name(github: FakeGitHub) -> None:
    number = ask(github, REPO).json["id"]
    for rest in ("/contents/docs%2Findex.md", "/commits", "/branches/feature%2Flogin", "/issues"):
        by_name, by_id = ask(github, REPO + rest), ask(github, f"/repositories/{number}{rest}")
        assert (by_id.status, by_id.body) == (200, by_name.body)
    pages = ask(github, f"{REPO}/commits").links
    assert tail(pages["next"]) == f"/repositories/{number}/commits?page=2"


def test_files_of_a_private_repository_are_not_there_for_strangers(github: FakeGitHub) -> None:
    private = next(repo for repo in github.repos(private=True) if repo["private"])
    for rest in ("/contents/README.md", "/commits", "/tarball/main", "/git/ref/heads%2Fmain"):
        path = f"/repos/{private['full_name']}{rest}"
        assert ask(github, path).status == 404
        assert ask(github, path, token="owner").status in (200, 302)

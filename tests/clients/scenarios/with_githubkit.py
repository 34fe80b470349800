"""githubkit as its users have it: `with_githubkit.py BASE TOKEN`; BASE may end in `/api/v3`."""

import base64
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from githubkit import GitHub
from githubkit.exception import RequestFailed
from githubkit_schemas.latest.models import FullRepository

from tests.clients.scenarios.steps import Detail, Steps, arguments, listed, picked, refusal

base, token = arguments()
github: GitHub[Any] = GitHub(token, base_url=base) if token else GitHub(base_url=base)
rest, repos = github.rest, github.rest.repos
step = Steps()
HYSTRIX = ("Netflix", "Hystrix")
RAW = {"Accept": "application/vnd.github.raw+json"}
DIFF = {"Accept": "application/vnd.github.diff"}
SHA = {"Accept": "application/vnd.github.sha"}


@cache
def hystrix() -> FullRepository:
    return repos.get(*HYSTRIX).parsed_data


def of_hystrix(ask: Callable[..., Any], *names: str) -> Detail:
    """A list of the repository's, as `listed` describes it."""
    return listed(ask(*HYSTRIX).parsed_data, *names)


def paged(ask: Callable[..., Any], of: tuple[str, ...], *names: str, **options: int) -> Detail:
    """The same of all pages, with the client's own paging."""
    return listed(rest.paginate(ask, None, *of, **options), *names)


def error_of(ask: Callable[[], Any]) -> Detail:
    response = refusal(RequestFailed, ask).response
    return {"status": response.status_code, "message": response.json()["message"]}


@step
def organisation() -> Detail:
    return picked(rest.orgs.get("Netflix").parsed_data, "login", "id", "url", "repos_url")


step.add(
    "members", lambda: paged(rest.orgs.list_members, ("Netflix",), "login", "url", per_page=20)
)
step.add("repositories", lambda: paged(repos.list_for_org, ("Netflix",), "full_name", "url"))
step.add(
    "repositories_by_page", lambda: paged(repos.list_for_org, ("Netflix",), "id", per_page=100)
)
step.add("repository", lambda: picked(hystrix(), "id", "default_branch", "url", "contents_url"))


@step
def repository_by_id() -> Detail:
    return picked(github.request("GET", f"/repositories/{hystrix().id}").json(), "full_name")


step.add("issues", lambda: paged(rest.issues.list_for_repo, HYSTRIX, "number", "url", per_page=10))


@step
def issue() -> Detail:
    number = rest.issues.list_for_repo(*HYSTRIX).parsed_data[0].number
    one = rest.issues.get(*HYSTRIX, number).parsed_data
    comments = [one.id for one in rest.issues.list_comments(*HYSTRIX, number).parsed_data]
    return {"comments": comments, **picked(one, "title", "url")}


step.add("releases", lambda: of_hystrix(repos.list_releases, "tag_name", "url"))


@step
def latest_release() -> Detail:
    release = repos.get_latest_release(*HYSTRIX).parsed_data
    same = repos.get_release_by_tag(*HYSTRIX, release.tag_name).parsed_data
    assets = repos.list_release_assets(*HYSTRIX, release.id).parsed_data
    return {"same": same.id == release.id, "assets": [one.name for one in assets]}


step.add("tags", lambda: of_hystrix(repos.list_tags, "name", "zipball_url"))
step.add("branches", lambda: of_hystrix(repos.list_branches, "name"))


@step
def branch_with_a_slash() -> Detail:
    return picked(repos.get_branch(*HYSTRIX, "feature/login").parsed_data.commit, "sha", "url")


@step
def ref_with_a_slash() -> Detail:
    return picked(rest.git.get_ref(*HYSTRIX, "heads/feature/login").parsed_data, "ref", "url")


step.add("contributors", lambda: of_hystrix(repos.list_contributors, "login", "contributions"))
step.add("commits", lambda: of_hystrix(repos.list_commits, "sha", "url"))


@step
def commit() -> Detail:
    one = repos.get_commit(*HYSTRIX, "feature/login").parsed_data
    diff = repos.get_commit(*HYSTRIX, "feature/login", headers=DIFF).text
    sha = repos.get_commit(*HYSTRIX, "feature/login", headers=SHA).text
    return {"same": sha == one.sha, "diff": diff, **picked(one, "sha", "url")}


@step
def comparison() -> Detail:
    between = f"{hystrix().default_branch}...feature/login"
    compared = repos.compare_commits(*HYSTRIX, between).parsed_data
    diff = repos.compare_commits(*HYSTRIX, between, headers=DIFF).text
    return {"diff": diff, "commits": [one.sha for one in compared.commits]}


step.add("contents", lambda: listed(repos.get_content(*HYSTRIX, "").json(), "name", "url"))


@step
def file() -> Detail:
    found = repos.get_content(*HYSTRIX, "docs/index.md").json()
    text = base64.b64decode(found["content"]).decode()
    return {"text": text, **picked(found, "path", "url", "git_url")}


@step
def raw_file() -> Detail:
    found = repos.get_content(*HYSTRIX, "docs/index.md", headers=RAW)
    raw = "vnd.github.raw" in found.headers["Content-Type"]
    return {"text": found.text, "raw": raw}


@step
def readme() -> Detail:
    decoded = base64.b64decode(repos.get_readme(*HYSTRIX).parsed_data.content).decode()
    return {"raw": repos.get_readme(*HYSTRIX, headers=RAW).text, "decoded": decoded}


step.add("languages", lambda: dict(repos.list_languages("Netflix", "eureka").json()))
step.add("topics", lambda: {"topics": repos.get_all_topics(*HYSTRIX).parsed_data.names})


@step
def user() -> Detail:
    login = rest.orgs.list_members("Netflix", per_page=1).parsed_data[0].login
    one = rest.users.get_by_username(login).parsed_data
    names = [repo.full_name for repo in repos.list_for_user(login).parsed_data]
    return {"same": rest.users.get_by_id(one.id).json()["id"] == one.id, "repos": names}


@step
def search_repositories() -> Detail:
    found = rest.search.repos(q="hystrix").parsed_data
    return {"total": found.total_count, **picked(found.items[0], "full_name", "url")}


@step
def search_issues() -> Detail:
    found = rest.search.issues_and_pull_requests(q="Hystrix").parsed_data
    return {"total": found.total_count, **picked(found.items[0], "number", "url")}


@step
def workflows() -> Detail:
    found = rest.actions.list_repo_workflows(*HYSTRIX).parsed_data
    return listed(found.workflows, "name", "url")


step.add("emojis", lambda: {"names": sorted(rest.emojis.get().json())[:3]})


@step
def walk() -> Detail | None:
    """From object to object, by nothing except the addresses in bodies."""
    if not base.endswith("/api/v3"):
        return None  # bodies lead to GitHub

    def get(address: str, **options: Any) -> Any:
        return github.request("GET", address, **options).json()

    org = get(get("/")["organization_url"].replace("{org}", "Netflix"))
    every = get(org["repos_url"], params={"per_page": 100})
    repo = get(next(one for one in every if one["open_issues"])["url"])
    first = get(repo["issues_url"].replace("{/number}", ""))[0]
    author = get(first["user"]["url"])
    branch = get(repo["branches_url"].replace("{/branch}", "/feature/login"))
    tree = get(get(branch["commit"]["url"])["commit"]["tree"]["url"])
    entries = [entry["path"] for entry in tree["tree"]]
    ref = get(repo["git_refs_url"].replace("{/sha}", "/heads/feature/login"))
    return {"author": author["name"], "entries": entries, "ref": get(ref["url"]) == ref}


@step
def rate_limit() -> Detail:
    core = rest.rate_limit.get().parsed_data.resources.core
    noted = int(rest.orgs.get("Netflix").headers["X-RateLimit-Remaining"])
    return {"some": core.remaining >= 1, "noted": noted >= 1}


@step
def not_modified() -> Detail:
    again = rest.orgs.get("Netflix")
    etag = {"If-None-Match": again.headers["ETag"]}
    with GitHub(github.auth, base_url=base, http_cache=False) as plain:
        asked = plain.rest.orgs.get("Netflix", headers=etag)
    known = again.raw_response.extensions
    return {"revalidated": known.get("hishel_revalidated"), "status": asked.status_code}


FAILURES: dict[str, Callable[[], Any]] = {
    "missing_repository": lambda: repos.get("Netflix", "nothing"),
    "missing_user": lambda: rest.users.get_by_username("nobody-of-that-name"),
    "missing_file": lambda: repos.get_content(*HYSTRIX, "docs/nothing.md"),
    "refused_caller": rest.users.get_authenticated,
    "refused_path": lambda: repos.list_collaborators(*HYSTRIX),
    "refused_write": lambda: rest.issues.create(*HYSTRIX, title="Not here"),
    "refused_graphql": lambda: github.graphql("{viewer{login}}"),
}
for name, ask in FAILURES.items():
    step.add(name, partial(error_of, ask))

if __name__ == "__main__":
    step.run()

"""github3.py as its users have it: `with_github3.py URL TOKEN`; it adds `/api/v3` itself."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from github3 import GitHubEnterprise
from github3.exceptions import (
    AuthenticationFailed,
    ForbiddenError,
    GitHubError,
    MethodNotAllowed,
    NotFoundError,
)
from github3.orgs import Organization
from github3.repos.repo import Repository

from tests.clients.scenarios.steps import Detail, Steps, arguments, listed, picked, refusal

url, token = arguments()
github = GitHubEnterprise(url, token=token or "")
step = Steps()


@cache
def netflix() -> Organization:
    return github.organization("Netflix")


@cache
def hystrix() -> Repository:
    return github.repository("Netflix", "Hystrix")


def error_of(kind: type[GitHubError], ask: Callable[[], Any]) -> Detail:
    error = refusal(kind, ask)
    return {"status": error.code, "message": error.msg}


step.add("organisation", lambda: picked(netflix(), "login", "id", "url", "repos_url"))
step.add("members", lambda: listed(netflix().members(), "login", "url"))
step.add("repositories", lambda: listed(netflix().repositories(), "full_name", "url"))
step.add("repository", lambda: picked(hystrix(), "id", "default_branch", "url"))
step.add("repository_by_id", lambda: picked(github.repository_with_id(hystrix().id), "full_name"))
step.add("issues", lambda: listed(hystrix().issues(), "number", "url"))


@step
def issue() -> Detail:
    one = hystrix().issue(next(hystrix().issues(number=1)).number)
    comments = [comment.id for comment in one.comments()]
    return {"comments": comments, **picked(one, "title", "url")}


step.add("releases", lambda: listed(hystrix().releases(), "tag_name", "url"))


@step
def latest_release() -> Detail:
    release = hystrix().latest_release()
    same = hystrix().release_from_tag(release.tag_name)
    return {"same": same.id == release.id, "assets": [one.name for one in release.assets()]}


step.add("tags", lambda: listed(hystrix().tags(), "name"))
step.add("branches", lambda: listed(hystrix().branches(), "name"))
step.add(
    "branch_with_a_slash", lambda: picked(hystrix().branch("feature/login").commit, "sha", "url")
)
step.add("ref_with_a_slash", lambda: picked(hystrix().ref("heads/feature/login"), "ref"))
step.add("contributors", lambda: listed(hystrix().contributors(), "login", "contributions_count"))
step.add("commits", lambda: listed(hystrix().commits(), "sha", "url"))


@step
def commit() -> Detail:
    one = hystrix().commit("feature/login")
    message = one.as_dict()["commit"]["message"]
    return {"message": message, "diff": one.diff().decode(), "patch": one.patch().decode()}


@step
def comparison() -> Detail:
    compared = hystrix().compare_commits(hystrix().default_branch, "feature/login")
    return {"diff": compared.diff().decode(), "commits": [one.sha for one in compared.commits()]}


step.add(
    "contents",
    lambda: {"names": sorted(name for name, _ in hystrix().directory_contents(""))},
)


@step
def file() -> Detail:
    found = hystrix().file_contents("docs/index.md")
    return {"text": found.decoded.decode(), **picked(found, "path", "git_url")}


step.add("readme", lambda: {"text": hystrix().readme().decoded.decode()})


@step
def languages() -> Detail:
    found = dict(github.repository("Netflix", "eureka").languages())
    found.pop("Last-Modified", None)  # which it adds itself
    return found


step.add("topics", lambda: {"topics": hystrix().topics().names})


@step
def user() -> Detail:
    one = github.user(next(netflix().members()).login)
    repos = [repo.full_name for repo in github.repositories_by(one.login)]
    return {"login": one.login, "same": github.user_with_id(one.id).login, "repos": repos}


@step
def search_repositories() -> Detail:
    found = github.search_repositories("hystrix", number=1)
    first = picked(next(found).repository, "full_name", "url")
    return {**first, "total": found.total_count}


@step
def search_issues() -> Detail:
    found = github.search_issues("Hystrix", number=1)
    first = picked(next(found).issue, "number", "url")
    return {**first, "total": found.total_count}


step.add("emojis", lambda: {"names": sorted(github.emojis())[:3]})


@step
def walk() -> Detail:
    """From object to object, by nothing except the addresses in bodies."""
    short = next(repo for repo in netflix().repositories() if repo.name == "Hystrix")
    author = next(short.issues()).user.refresh().name
    subscribers = short.refresh().subscribers_count
    tree = short.branch("feature/login").commit.commit.tree.to_tree()
    entries = [entry.path for entry in tree.tree]
    return {"author": author, "subscribers": subscribers, "entries": entries}


@step
def rate_limit() -> Detail:
    core = github.rate_limit()["resources"]["core"]
    return {"some": core["remaining"] >= 1, "noted": hystrix().ratelimit_remaining >= 1}


@step
def not_modified() -> Detail:
    found = hystrix().branches()
    first = len(list(found))
    again = list(found.refresh(conditional=True))
    return {"some": first > 0, "again": len(again), "status": found.last_status}


missing = partial(error_of, NotFoundError)
step.add("missing_repository", lambda: missing(lambda: github.repository("Netflix", "nothing")))
step.add("missing_user", lambda: missing(lambda: github.user("nobody-of-that-name")))
step.add("missing_file", lambda: missing(lambda: hystrix().file_contents("docs/nothing.md")))
# Without a token it sends none of the following requests.
step.add("refused_caller", lambda: error_of(AuthenticationFailed, github.me))
if token:
    step.add(
        "refused_path", lambda: error_of(ForbiddenError, lambda: list(hystrix().collaborators()))
    )
    step.add(
        "refused_write",
        lambda: error_of(MethodNotAllowed, lambda: hystrix().create_issue("Not here")),
    )

if __name__ == "__main__":
    step.run()

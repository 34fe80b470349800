"""PyGithub as its users have it: `with_pygithub.py URL TOKEN`, under `/api/v3`.

It pauses for 0.25 s before each request, unless WITHOUT_PAUSES is set.
"""

import os
from collections.abc import Callable
from datetime import datetime
from functools import cache, partial
from typing import Any

from github import Auth, Github, GithubException, UnknownObjectException
from github.Consts import DEFAULT_SECONDS_BETWEEN_REQUESTS
from github.ContentFile import ContentFile
from github.Organization import Organization
from github.Repository import Repository

from tests.clients.scenarios.steps import Detail, Steps, arguments, listed, picked, refusal

url, token = arguments()
PAUSE = None if os.environ.get("WITHOUT_PAUSES") else DEFAULT_SECONDS_BETWEEN_REQUESTS
github = Github(
    base_url=f"{url}/api/v3",
    auth=Auth.Token(token) if token else None,
    seconds_between_requests=PAUSE,
)
step = Steps()


@cache
def netflix() -> Organization:
    return github.get_organization("Netflix")


@cache
def hystrix() -> Repository:
    return github.get_repo("Netflix/Hystrix")


def error_of(kind: type[GithubException], ask: Callable[[], Any]) -> Detail:
    error = refusal(kind, ask)
    return {"status": error.status, "message": error.data["message"]}


step.add("organisation", lambda: picked(netflix(), "login", "id", "url", "repos_url"))
step.add("members", lambda: listed(netflix().get_members(), "login", "url"))
step.add("repositories", lambda: listed(netflix().get_repos(), "full_name", "url"))


@step
def repositories_by_page() -> Detail:
    with Github(base_url=f"{url}/api/v3", per_page=100, seconds_between_requests=PAUSE) as paging:
        found = paging.get_organization("Netflix").get_repos()
        backwards = found.reversed[0].id
        return {"total": found.totalCount, "backwards": backwards, **listed(found, "id")}


step.add("repository", lambda: picked(hystrix(), "id", "default_branch", "url", "contents_url"))
step.add("repository_by_id", lambda: picked(github.get_repo(hystrix().id), "full_name"))
step.add("issues", lambda: listed(hystrix().get_issues(), "number", "url"))


@step
def issue() -> Detail:
    one = hystrix().get_issue(hystrix().get_issues()[0].number)
    comments = [comment.id for comment in one.get_comments()]
    return {"comments": comments, **picked(one, "title", "url")}


step.add("releases", lambda: listed(hystrix().get_releases(), "tag_name", "url"))


@step
def latest_release() -> Detail:
    release = hystrix().get_latest_release()
    same = hystrix().get_release(release.tag_name)
    return {"same": same.id == release.id, "assets": [one.name for one in release.get_assets()]}


step.add("tags", lambda: listed(hystrix().get_tags(), "name"))
step.add("branches", lambda: listed(hystrix().get_branches(), "name"))
step.add(
    "branch_with_a_slash",
    lambda: picked(hystrix().get_branch("feature/login").commit, "sha", "url"),
)
step.add("ref_with_a_slash", lambda: picked(hystrix().get_git_ref("heads/feature/login"), "ref"))
step.add("contributors", lambda: listed(hystrix().get_contributors(), "login", "contributions"))
step.add("commits", lambda: listed(hystrix().get_commits(), "sha", "url"))
step.add("commit", lambda: picked(hystrix().get_commit("feature/login").commit, "message"))


@step
def comparison() -> Detail:
    compared = hystrix().compare(hystrix().default_branch, "feature/login")
    return {"status": compared.status, "commits": [one.sha for one in compared.commits]}


@step
def contents() -> Detail:
    found = hystrix().get_contents("")
    assert isinstance(found, list)
    return listed(found, "name", "url")


@step
def file() -> Detail:
    found = hystrix().get_contents("docs/index.md")
    assert isinstance(found, ContentFile)
    return {"text": found.decoded_content.decode(), **picked(found, "path", "url", "git_url")}


step.add("readme", lambda: {"text": hystrix().get_readme().decoded_content.decode()})


@step
def languages() -> Detail:
    found = github.get_repo("Netflix/eureka").get_languages()
    return {name: size for name, size in found.items() if name != "url"}  # which it adds itself


step.add("topics", lambda: {"topics": hystrix().get_topics()})


@step
def user() -> Detail:
    one = github.get_user(netflix().get_members()[0].login)
    repos = [repo.full_name for repo in one.get_repos()]
    return {"login": one.login, "same": github.get_user_by_id(one.id).login, "repos": repos}


@step
def search_repositories() -> Detail:
    found = github.search_repositories("hystrix")
    return {"total": found.totalCount, **picked(found[0], "full_name", "url")}


@step
def search_issues() -> Detail:
    found = github.search_issues("Hystrix")
    return {"total": found.totalCount, **picked(found[0], "number", "url")}


step.add("workflows", lambda: listed(hystrix().get_workflows(), "name", "url"))
step.add("archive", lambda: {"host": hystrix().get_archive_link("tarball", "main").split("/")[2]})
step.add("emojis", lambda: {"names": sorted(github.get_emojis())[:3]})


@step
def walk() -> Detail:
    """From object to object, by nothing except the addresses in bodies."""
    repo = next(repo for repo in netflix().get_repos() if repo.name == "Hystrix")
    first = repo.get_issues()[0]
    author = first.user.name  # which only the user's own address has
    subscribers = repo.subscribers_count  # which only the repository's own address has
    tree = repo.get_branch("feature/login").commit.commit.tree
    entries = [entry.path for entry in repo.get_git_tree(tree.sha).tree]
    origin = first.repository.full_name
    return {"author": author, "subscribers": subscribers, "entries": entries, "of": origin}


@step
def rate_limit() -> Detail:
    core = github.get_rate_limit().resources.core
    left, limit = github.rate_limiting
    assert core.reset.timestamp() > datetime.now().timestamp()
    return {"some": core.remaining >= 1, "noted": left >= 1, "limit": limit >= left}


@step
def not_modified() -> Detail:
    repo = github.get_repo("Netflix/eureka")
    return {"updated": repo.update(), "stars": repo.stargazers_count}


missing = partial(error_of, UnknownObjectException)
refused = partial(error_of, GithubException)
step.add("missing_repository", lambda: missing(lambda: github.get_repo("Netflix/nothing")))
step.add("missing_user", lambda: missing(lambda: github.get_user("nobody-of-that-name")))
step.add("missing_file", lambda: missing(lambda: hystrix().get_contents("docs/nothing.md")))
step.add("refused_caller", lambda: refused(lambda: github.get_user().login))
step.add("refused_path", lambda: refused(lambda: list(hystrix().get_collaborators())))
step.add("refused_write", lambda: refused(lambda: hystrix().create_issue("Not here")))
step.add(
    "refused_graphql",
    lambda: refused(lambda: github.requester.graphql_query("{viewer{login}}", {})),
)

if __name__ == "__main__":
    step.run()

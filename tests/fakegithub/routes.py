"""Routes: the table of GitHub's paths that the world serves.

Other paths may be in GitHub's description (`example_responses`).
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tests.fakegithub import (
    bodies,
    file_hosts,
    git_routes,
    issues,
    release_bodies,
    repo_bodies,
    search,
    since_lists,
)
from tests.fakegithub.bodies import JsonObject
from tests.fakegithub.example_responses import find_example
from tests.fakegithub.route_targets import (
    Elsewhere,
    Listing,
    Membership,
    Moved,
    RouteContext,
    RouteTarget,
    Single,
    Unknown,
)
from tests.fakegithub.world import Account, Repository


def repo_order(context: RouteContext, repos: list[Repository], default: str) -> list[Repository]:
    """Sort as `sort` and `direction` say; `created` is the default order itself, newest first.

    Source: docs.github.com "List organization repositories": direction is `asc` for `full_name`
    and `desc` otherwise; invalid values are ignored.
    """
    keys: dict[str, Callable[[Repository], str]] = {
        "updated": lambda repo: repo.updated_at,
        "pushed": lambda repo: repo.pushed_at,
        "full_name": lambda repo: repo.full_name.lower(),
    }
    sort = context.query.get("sort", default)
    sort = sort if sort in (*keys, "created") else default
    direction = context.query.get("direction")
    if direction not in ("asc", "desc"):
        direction = "asc" if sort == "full_name" else "desc"
    if sort == "created":
        return repos if direction == "desc" else repos[::-1]
    return sorted(repos, key=keys[sort], reverse=direction == "desc")


def selected_repos(context: RouteContext, repos: list[Repository]) -> list[Repository]:
    """The repositories of a list that the query's `type` selects."""
    kinds: dict[str, Callable[[Repository], bool]] = {
        "public": lambda repo: not repo.private,
        "private": lambda repo: repo.visibility == "private",
        "internal": lambda repo: repo.internal,
        "forks": lambda repo: repo.fork,
        "sources": lambda repo: not repo.fork,
    }
    wanted = kinds.get(context.query.get("type", ""))
    return [repo for repo in repos if wanted is None or wanted(repo)]


def org_resource(context: RouteContext, org: Account, rest: str) -> RouteTarget:
    """Paths under `/orgs/{org}` and `/organizations/{id}`."""
    home, name = f"/organizations/{org.id}", f"/orgs/{org.login}"
    if not rest:
        return Single(lambda base: whole_organisation(context, org, base), org.updated_at)
    if rest == "/repos":
        repos = selected_repos(context, context.viewer.repos_of(org))
        repos = repo_order(context, repos, "created")
        return Listing(home + rest, name + rest, repos, repo_bodies.minimal_repository)
    if rest in ("/members", "/public_members"):
        members = context.viewer.members_of(org) if rest == "/members" else org.public_members()
        return Listing(home + rest, name + rest, members, bodies.simple_user)
    if match := re.fullmatch(r"/(members|public_members)/([^/]+)", rest):
        return membership(context, org, match[1], match[2])
    return find_example(context, name + rest, numeric=home + rest)


def membership(context: RouteContext, org: Account, which: str, login: str) -> RouteTarget:
    """`/orgs/{org}/members/{username}` and `/orgs/{org}/public_members/{username}`."""
    if which == "members" and not context.viewer.insider:
        return Membership(f"/orgs/{org.login}/public_members/{login}")
    members = context.viewer.members_of(org) if which == "members" else org.public_members()
    known = {member.login.lower() for member in members}
    return Membership() if login.lower() in known else None


def whole_organisation(context: RouteContext, org: Account, base: str) -> JsonObject:
    """`/orgs/{org}`; owners also see the number of hidden repositories."""
    body = bodies.organization_full(base, org)
    hidden = len(org.repos) - len(org.public_repos())
    totals = {"total_private_repos": hidden, "owned_private_repos": hidden}
    return body | (totals if context.viewer.owns else {})


def user_resource(context: RouteContext, user: Account, rest: str) -> RouteTarget:
    """Paths under `/users/{login}` and `/user/{id}`."""
    home, name = f"/user/{user.id}", f"/users/{user.login}"
    if not rest:
        return Single(lambda base: bodies.public_user(base, user), user.updated_at)
    if rest == "/repos":
        # "Lists public repositories for the specified user", whoever asks.
        repos = selected_repos(context, user.public_repos())
        repos = repo_order(context, repos, "full_name")
        return Listing(home + rest, name + rest, repos, repo_bodies.minimal_repository)
    if rest == "/orgs":
        accounts = context.world.accounts.values()
        # "Only lists public memberships, regardless of authentication".
        orgs = [org for org in accounts if user in org.public_members()]
        return Listing(home + rest, name + rest, orgs, bodies.organization_simple)
    if re.fullmatch(r"/following/[^/]+", rest):
        return Membership()  # everybody follows everybody
    return find_example(context, name + rest, numeric=home + rest)


SINGLES: Final = {"/languages": repo_bodies.languages, "/dependency-graph/sbom": repo_bodies.sbom}


def repo_resource(context: RouteContext, repo: Repository, rest: str) -> RouteTarget:
    """Paths under `/repos/{owner}/{repo}` and `/repositories/{id}`."""
    if not context.viewer.sees(repo):
        return None  # GitHub hides that it exists
    if found := git_routes.find(rest):
        route, value = found
        target = route(context, repo, value)
        return repo_list(context, repo, rest) if isinstance(target, Unknown) else target
    if not rest:
        return Single(lambda base: repo_bodies.full_repository(base, repo), repo.updated_at)
    if rest in SINGLES:
        return Single(lambda _: SINGLES[rest](repo))
    if rest == "/releases" or rest.startswith("/releases/"):
        return release_resource(context, repo, rest)
    return repo_list(context, repo, rest)


def repo_list(context: RouteContext, repo: Repository, rest: str) -> RouteTarget:
    """A repository's lists in the world, and its paths in GitHub's description."""
    # GitHub documents this path no more, but bodies of pull requests have it.
    rest = re.sub("^/statuses/([^/]+)$", r"/commits/\1/statuses", rest)
    home, name = f"/repositories/{repo.id}{rest}", f"/repos/{repo.full_name}{rest}"
    if match := re.fullmatch(r"(?:/issues/[0-9]+)?/assignees/([^/]+)", rest):
        logins = {member.login.lower() for member in context.viewer.members_of(repo.owner)}
        return Membership() if match[1].lower() in logins else None
    if re.fullmatch(r"/pulls/[0-9]+/merge", rest):
        return Membership()  # all are merged
    if rest == "/contributors":
        people = repo_bodies.contributors(repo, repo.owner.public_members() or [repo.owner])
        return Listing(home, name, people, repo_bodies.contributor)
    is_known, target = issues.find(context, repo, rest)
    if is_known:
        return target
    found = find_example(context, name, repo=repo, numeric=home)
    if isinstance(found, Single) and (match := re.fullmatch(r"/pulls/([0-9]+)", rest)):
        return replace(found, media=git_routes.pull_media(repo, int(match[1])))
    return found


def release_resource(context: RouteContext, repo: Repository, rest: str) -> RouteTarget:
    """Paths under `/repos/{owner}/{repo}/releases`; drafts are for viewers who may push."""
    everything = release_bodies.releases(repo)
    published = [one for one in everything if not one.draft]
    shown = everything if context.viewer.may_push(repo.id) else published
    by_id = {str(one.id): one for one in shown}
    by_tag = {one.tag: one for one in published}
    match rest.split("/")[2:]:
        case []:
            return releases_listing(repo, rest, shown, release_bodies.release)
        case [number, "assets"] if number in by_id:
            return releases_listing(repo, rest, [by_id[number]], release_bodies.asset)
        case ["assets", number] if number in by_id:
            return release_file(context, repo, by_id[number])
        case ["latest"]:
            one = published[0]
        case ["tags", tag] if tag in by_tag:
            one = by_tag[tag]
        case [number] if number in by_id:
            one = by_id[number]
        case [number, "reactions"] if number in by_id:
            return repo_list(context, repo, rest)
        case _:
            return None
    return Single(lambda base: release_bodies.release(base, repo, one))


def release_file(
    context: RouteContext, repo: Repository, one: release_bodies.Release
) -> RouteTarget:
    """`releases/assets/{asset_id}`; its bytes are elsewhere, at a signed address."""
    if context.media != "octets":
        return Single(lambda base: release_bodies.asset(base, repo, one))
    signature = file_hosts.signature(repo, one.id)
    path = f"github-production-release-asset/{repo.id}/{one.id}"
    return Elsewhere(f"{context.assets}/{path}?sig={signature}")


def releases_listing(
    repo: Repository,
    rest: str,
    items: list[release_bodies.Release],
    render: Callable[[str, Repository, release_bodies.Release], JsonObject],
) -> Listing:
    """A list of releases or of their assets."""
    paths = f"/repositories/{repo.id}{rest}", f"/repos/{repo.full_name}{rest}"
    return Listing(*paths, items, lambda base, one: render(base, repo, one))


def root(context: RouteContext, _rest: str) -> RouteTarget:
    """`/`"""
    return Single(bodies.root)


def org_by_login(context: RouteContext, login: str, rest: str) -> RouteTarget:
    """`/orgs/{org}…`"""
    org = context.world.account(login, "Organization")
    return org_resource(context, org, rest) if org else None


def org_by_id(context: RouteContext, number: str, rest: str) -> RouteTarget:
    """`/organizations/{id}…`"""
    org = context.world.account_of_id(int(number), "Organization")
    return org_resource(context, org, rest) if org else None


def user_by_login(context: RouteContext, login: str, rest: str) -> RouteTarget:
    """`/users/{login}…`; GitHub has organisations there too."""
    user = context.world.account(login)
    return user_resource(context, user, rest) if user else None


def user_by_id(context: RouteContext, number: str, rest: str) -> RouteTarget:
    """`/user/{id}…`"""
    user = context.world.account_of_id(int(number))
    return user_resource(context, user, rest) if user else None


def repo_by_name(context: RouteContext, login: str, name: str, rest: str) -> RouteTarget:
    """`/repos/{owner}/{repo}…`; a former name leads to the repository's new path."""
    if repo := context.world.repo(login, name):
        return repo_resource(context, repo, rest)
    moved = context.world.renamed_repo(login, name)
    if moved is None or repo_resource(context, moved, rest) is None:
        return None
    return Moved(f"/repositories/{moved.id}{rest}")


def repo_by_id(context: RouteContext, number: str, rest: str) -> RouteTarget:
    """`/repositories/{id}…`"""
    repo = context.world.repos_by_id.get(int(number))
    return repo_resource(context, repo, rest) if repo else None


def text(context: RouteContext, name: str, _rest: str) -> RouteTarget:
    """`/zen` and `/octocat`, which are text."""
    body, content_type = TEXTS[name]
    return Single(lambda _: body, content_type=content_type)


TEXTS: Final = {
    "zen": (b"Keep it logically awesome.", "text/plain;charset=utf-8"),
    "octocat": (b"\n   MMM.   .MMM\n   MMMMMMMMMMM\n", "application/octocat-stream"),
}
ROUTES: Final[tuple[tuple[re.Pattern[str], Callable[..., RouteTarget]], ...]] = (
    (re.compile(r"/()"), root),
    (re.compile(r"/orgs/([^/]+)(/.+)?"), org_by_login),
    (re.compile(r"/organizations/([0-9]{1,18})(/.+)?"), org_by_id),
    (re.compile(r"/users/([^/]+)(/.+)?"), user_by_login),
    (re.compile(r"/user/([0-9]{1,18})(/.+)?"), user_by_id),
    (re.compile(r"/repos/([^/]+)/([^/]+)(/.+)?"), repo_by_name),
    (re.compile(r"/repositories/([0-9]{1,18})(/.+)?"), repo_by_id),
    (re.compile(r"/(users|organizations|repositories)()"), since_lists.find),
    (re.compile(r"/search/([^/]+)()"), search.search),
    (re.compile(r"/(zen|octocat)()"), text),
)


def find(context: RouteContext, path: str) -> RouteTarget:
    """The resource of a decoded path; None is a 404."""
    for pattern, route in ROUTES:
        if match := pattern.fullmatch(path):
            return route(context, *(group or "" for group in match.groups()))
    return find_example(context, path)

"""`/users`, `/organizations` and `/repositories`: everything public on the server, by ids."""

from tests.fakegithub import bodies, repo_bodies
from tests.fakegithub.route_targets import RouteContext, RouteTarget, Since


def find(context: RouteContext, name: str, _rest: str) -> RouteTarget:
    """The list of that name; `/users` has organisations too, as GitHub's has."""
    accounts = sorted(context.world.accounts.values(), key=lambda one: one.id)
    path = f"/{name}"
    if name == "users":
        return Since(path, accounts, bodies.simple_user)
    if name == "organizations":
        orgs = [one for one in accounts if one.kind == "Organization"]
        return Since(path, orgs, bodies.organization_simple)
    repos = [repo for one in accounts for repo in one.public_repos()]
    repos.sort(key=lambda repo: repo.id)
    return Since(path, repos, repo_bodies.minimal_repository)

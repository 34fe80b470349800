"""Mutations of the world: stars, renames, moves, members that join or leave.

`apply` takes a mutation as JSON gives it: `kind`, `org` (default: the first organisation) and the
kind's own options, which are the keyword parameters of the functions below. A repository is named
by its name, or by its place in the default order (0 is the first).
"""

import random
from collections.abc import Callable
from typing import Any, Final

from tests.fakegithub import forms
from tests.fakegithub.repo_bodies import minimal_repository
from tests.fakegithub.viewers import ANONYMOUS_VIEWER, Viewer
from tests.fakegithub.world import Account, Repository, World
from tests.fakegithub.world_factory import new_repo, new_user

EDITABLE_ORG: Final = ("description", "name", "company", "blog", "location", "email", "followers")
EDITABLE_REPO: Final = (
    "description", "homepage", "language", "stars", "forks", "open_issues", "subscribers", "size",
    "archived", "topics", "updated_at", "pushed_at", "created_at",
)  # fmt: skip


def apply(world: World, mutation: dict[str, Any]) -> dict[str, Any]:
    """Do one mutation; return what it touched. ValueError says what is wrong with it."""
    options = dict(mutation)
    kind = options.pop("kind", None)
    if kind not in MUTATIONS:
        raise ValueError(f"no such mutation: {kind}; there are: {', '.join(MUTATIONS)}")
    login = options.pop("org", None)
    with world.lock:
        org = world.account(login) if login else next(iter(world.accounts.values()))
        if org is None:
            raise ValueError(f"no such organisation: {login}")
        try:
            with world.changing() as moment:
                touched = MUTATIONS[kind](world, org, moment, **options)
        except (TypeError, IndexError) as error:
            raise ValueError(f"{kind}: {error}") from error
    if isinstance(touched, Repository):
        return {"id": touched.id, "name": touched.name, "full_name": touched.full_name}
    return {"id": touched.id, "login": touched.login}


def find(world: World, org: Account, repo: str | int) -> Repository:
    """The repository of that name, or at that place of the default order."""
    if isinstance(repo, int):
        return org.repos[repo]
    found = world.repo(org.login, repo.rpartition("/")[2])
    if found is None:
        raise ValueError(f"no such repository: {org.login}/{repo}")
    return found


def star(
    world: World, org: Account, moment: str, *, repo: str | int = 0, by: int = 1
) -> Repository:
    """Add `by` stars; a negative number takes stars away."""
    found = find(world, org, repo)
    found.stars = max(0, found.stars + by)
    found.updated_at = moment
    return found


def rename(world: World, org: Account, moment: str, *, repo: str | int, to: str) -> Repository:
    """Give a new name; the old one redirects (301) from now on."""
    found = find(world, org, repo)
    world.former_names[(org.id, found.name.lower())] = found.id
    world.former_names.pop((org.id, to.lower()), None)
    found.name = to
    found.updated_at = moment
    return found


def delete(world: World, org: Account, moment: str, *, repo: str | int) -> Repository:
    """Delete a repository, under all its names."""
    found = find(world, org, repo)
    org.repos.remove(found)
    del world.repos_by_id[found.id]
    for account in world.accounts.values():
        for fork in account.repos:
            fork.parent = None if fork.parent is found else fork.parent
    return found


def add(
    world: World,
    org: Account,
    moment: str,
    *,
    name: str | None = None,
    where: str = "front",
    private: bool = False,
    stars: int = 0,
) -> Repository:
    """Add a repository at the `front` (as GitHub's newest) or the `end` of the default order."""
    number = world.new_id()
    made = new_repo(world, org, name or f"new-{number}", 0, random.Random(number))
    if world.repo(org.login, made.name):
        raise ValueError(f"there is one of that name: {made.full_name}")
    made.id, made.private, made.stars, made.fork = number, private, stars, False
    made.created_at = made.updated_at = made.pushed_at = moment
    return world.add_repo(made, position=0 if where == "front" else None)


def move(world: World, org: Account, moment: str, *, repo: str | int, to: int) -> Repository:
    """Move a repository to place `to` of the default order; nothing else changes."""
    found = find(world, org, repo)
    org.repos.remove(found)
    org.repos.insert(to, found)
    return found


def make_private(world: World, org: Account, moment: str, *, repo: str | int) -> Repository:
    """Make a repository private: only viewers with access see it."""
    found = find(world, org, repo)
    found.private, found.internal = True, False
    found.updated_at = moment
    return found


def make_public(world: World, org: Account, moment: str, *, repo: str | int) -> Repository:
    """Make a repository public: everybody sees it."""
    found = find(world, org, repo)
    found.private = found.internal = False
    found.updated_at = moment
    return found


def make_internal(world: World, org: Account, moment: str, *, repo: str | int) -> Repository:
    """Make a repository internal: only the organisation's own people see it."""
    found = find(world, org, repo)
    found.private = found.internal = True
    found.updated_at = moment
    return found


def push(world: World, org: Account, moment: str, *, repo: str | int = 0) -> Repository:
    """Push a commit: `pushed_at` and `updated_at` move on, and so does the default branch."""
    found = find(world, org, repo)
    found.pushes += 1
    found.pushed_at = found.updated_at = moment
    return found


def edit_repo(
    world: World, org: Account, moment: str, *, repo: str | int, **changes: Any
) -> Repository:
    """Set any of EDITABLE_REPO; `updated_at` moves on unless it is set itself."""
    found = find(world, org, repo)
    edit(found, {"updated_at": moment} | changes, EDITABLE_REPO)
    return found


def edit_org(world: World, org: Account, moment: str, **changes: Any) -> Account:
    """Set any of EDITABLE_ORG, such as the description."""
    edit(org, changes, EDITABLE_ORG)
    org.updated_at = moment
    return org


def edit(target: Repository | Account, changes: dict[str, Any], allowed: tuple[str, ...]) -> None:
    """Set attributes that may be set; ValueError for others, before anything is changed."""
    if wrong := [name for name in changes if name not in (*allowed, "updated_at")]:
        raise ValueError(f"can't set {', '.join(wrong)}; can set {', '.join(allowed)}")
    for name, value in changes.items():
        setattr(target, name, tuple(value) if isinstance(value, list) else value)


def add_member(
    world: World, org: Account, moment: str, *, login: str | None = None, where: str = "end"
) -> Account:
    """Add a member at the `end` (as GitHub's newest) or the `front` of the list."""
    number = world.new_id()
    user = world.account(login) if login else None
    if user is None:
        user = world.add_account(
            new_user(login or f"newcomer{number}", number, random.Random(number))
        )
    if user in org.members:
        raise ValueError(f"is a member already: {user.login}")
    org.members.insert(0 if where == "front" else len(org.members), user)
    return user


def remove_member(world: World, org: Account, moment: str, *, login: str | int = 0) -> Account:
    """Remove a member, named by login or by place, from the organisation; the account stays."""
    user = member(world, org, login)
    org.members.remove(user)
    org.concealed.discard(user.id)
    return user


def conceal_member(world: World, org: Account, moment: str, *, login: str | int = 0) -> Account:
    """Conceal the membership of a member, named by login or by place."""
    user = member(world, org, login)
    org.concealed.add(user.id)
    return user


def publicize_member(world: World, org: Account, moment: str, *, login: str | int = 0) -> Account:
    """Publicize the membership of a member, named by login or by place."""
    user = member(world, org, login)
    org.concealed.discard(user.id)
    return user


def member(world: World, org: Account, login: str | int) -> Account:
    """The member of that login, or at that place of the list."""
    if isinstance(login, int):
        return org.members[login]
    user = world.account(login)
    if user is None or user not in org.members:
        raise ValueError(f"no such member: {login}")
    return user


def set_repos(world: World, org: Account, moment: str, *, count: int) -> Account:
    """Set the number of public repositories: add at the front, or delete from the end."""
    public = org.public_repos()
    for repo in public[count:]:
        delete(world, org, moment, repo=repo.name)
    for _ in range(count - len(public)):
        add(world, org, moment)
    return org


MUTATIONS: Final[dict[str, Callable[..., Repository | Account]]] = {
    function.__name__: function
    for function in (
        star, rename, delete, add, move, make_private, make_public, make_internal, push,
        edit_repo, edit_org, add_member, remove_member, conceal_member, publicize_member,
        set_repos,
    )
}  # fmt: skip


def next_star(world: World, dice: random.Random) -> dict[str, Any]:
    """The mutation of one step of churn: a star for some public repository of some organisation."""
    with world.lock:
        orgs = [a for a in world.accounts.values() if a.kind == "Organization" and a.public_repos()]
        org = dice.choice(orgs)
        return {"kind": "star", "org": org.login, "repo": dice.choice(org.public_repos()).name}


def true_repos(
    base: str, org: Account, *, private: bool, viewer: Viewer = ANONYMOUS_VIEWER
) -> list[dict[str, Any]]:
    """The whole list of an organisation's repositories in default order, in a viewer's form."""
    repos = org.repos if private else org.public_repos()
    return [forms.seen(minimal_repository(base, repo), viewer) for repo in repos]

"""Scopes: what an event of GitHub can say has changed, and what lies in them. Pure.

A scope is a repository or an owner (an organisation or a user), whole or an area of it:

    repo:netflix/hystrix            everything below /repos/Netflix/Hystrix
    repo:netflix/hystrix issues     what lies in one area of it, by the table below
    repo:#2126                      the same repository, by GitHub's id: /repositories/2126
    owner:netflix                   everything below /orgs/Netflix, /users/Netflix, /repos/Netflix
    owner:netflix members           an area of it

An on-demand resource lies in a few scopes. Names are in lower case, since GitHub ignores their
case. Where scopes are stored, they are digests: an event may name what is not public.
"""

import hashlib
from collections.abc import Sequence
from enum import StrEnum


class Area(StrEnum):
    """A part of what belongs to a repository or to an owner, which changes by the same events."""

    ABOUT = "about"  # the repository or the account itself: its counts, dates and settings
    ACTIONS = "actions"  # workflows, their runs and jobs
    ADVISORIES = "advisories"
    CHECKS = "checks"  # commit statuses, check runs and suites
    CODE = "code"  # commits, contents, branches, tags, and what GitHub computes of them
    COMMENTS = "comments"  # on commits
    DEPLOYMENTS = "deployments"
    EVENTS = "events"
    FORKS = "forks"
    ISSUES = "issues"  # with labels, milestones and assignees
    MEMBERS = "members"  # of an organisation
    ORGS = "orgs"  # of a user
    PULL = "pull"  # one pull request: it says whether it can be merged
    PULLS = "pulls"
    REFS = "refs"
    RELEASES = "releases"
    REPOS = "repos"  # of an owner
    STARRED = "starred"  # by a user
    STARS = "stars"


# The areas of a repository by what follows it in GitHub's template of a path: the first that fits.
_OF_REPOSITORY: Sequence[tuple[str, Area]] = (
    ("/actions", Area.ACTIONS),
    ("/check-runs", Area.CHECKS),
    ("/check-suites", Area.CHECKS),
    ("/commits/{ref}/check-runs", Area.CHECKS),
    ("/commits/{ref}/check-suites", Area.CHECKS),
    ("/commits/{ref}/status", Area.CHECKS),
    ("/commits/{ref}/statuses", Area.CHECKS),
    ("/statuses", Area.CHECKS),
    ("/commits/{commit_sha}/comments", Area.COMMENTS),
    ("/comments", Area.COMMENTS),
    ("/commits/{commit_sha}/pulls", Area.PULLS),
    ("/pulls/{pull_number}/", Area.PULLS),
    ("/pulls/{pull_number}", Area.PULL),
    ("/pulls", Area.PULLS),
    ("/stacks", Area.PULLS),
    ("/issues", Area.ISSUES),
    ("/labels", Area.ISSUES),
    ("/milestones", Area.ISSUES),
    ("/assignees", Area.ISSUES),
    ("/deployments", Area.DEPLOYMENTS),
    ("/environments", Area.DEPLOYMENTS),
    ("/events", Area.EVENTS),
    ("/activity", Area.EVENTS),
    ("/forks", Area.FORKS),
    ("/git/ref", Area.REFS),
    ("/git/matching-refs", Area.REFS),
    ("/releases", Area.RELEASES),
    ("/security-advisories", Area.ADVISORIES),
    ("/stargazers", Area.STARS),
    ("/watchers", Area.STARS),
    ("/subscribers", Area.STARS),
    ("/properties", Area.ABOUT),
    ("/topics", Area.ABOUT),
    ("/hash-algorithm", Area.ABOUT),
    ("/", Area.CODE),
    ("", Area.ABOUT),
)
_OF_OWNER: Sequence[tuple[str, Area]] = (
    ("/events", Area.EVENTS),
    ("/received_events", Area.EVENTS),
    ("/members", Area.MEMBERS),
    ("/public_members", Area.MEMBERS),
    ("/orgs", Area.ORGS),
    ("/repos", Area.REPOS),
    ("/starred", Area.STARRED),
    ("/subscriptions", Area.STARRED),
    ("", Area.ABOUT),
)
EVERYTHING = "*"  # the scope of all on-demand content
_BY_NAME = frozenset({"repos", "networks"})
_OWNERS = frozenset({"orgs", "users"})
_OWNER_NUMBERS = frozenset({"organizations", "user"})


def repository(name: str | int) -> str:
    """The scope of a repository, by its full name or its id."""
    return _scope("repo", name)


def owner(name: str | int) -> str:
    """The scope of an organisation or a user, by its login or its id."""
    return _scope("owner", name)


def area_of(scope: str, area: Area) -> str:
    """The scope of an area of what a scope is about."""
    return f"{scope} {area}"


def scopes_of(template: str, segments: Sequence[str]) -> tuple[str, ...]:
    """The scopes that a resource lies in; none if no event tells of it.

    Args:
        template: GitHub's template of its path.
        segments: of its path, decoded.
    """
    first, parts = segments[0] if segments else "", template.split("/")[1:]
    if first in _BY_NAME and len(segments) >= 3:
        whole = repository(f"{segments[1]}/{segments[2]}")
        return owner(segments[1]), whole, area_of(whole, _area(_OF_REPOSITORY, parts[3:]))
    if first == "repositories" and len(segments) >= 2:
        whole = repository(int(segments[1])) if segments[1].isdecimal() else repository(segments[1])
        return whole, area_of(whole, _area(_OF_REPOSITORY, parts[2:]))
    if first in _OWNERS | _OWNER_NUMBERS and len(segments) >= 2:
        is_number = first in _OWNER_NUMBERS and segments[1].isdecimal()
        whole = owner(int(segments[1]) if is_number else segments[1])
        return whole, area_of(whole, _area(_OF_OWNER, parts[2:]))
    return ()


def repository_key(segments: Sequence[str]) -> str:
    """The repository that a path is, or is below: full name in lower case, or `#` and id.

    Args:
        segments: of the path, decoded; empty if it is none.

    Returns:
        An empty text for any other path.
    """
    first = segments[0] if segments else ""
    if first in _BY_NAME and len(segments) >= 3:
        return f"{segments[1]}/{segments[2]}".lower()
    if first == "repositories" and len(segments) >= 2 and segments[1].isdecimal():
        return f"#{int(segments[1])}"
    return ""


def digest_of(scope: str) -> str:
    """The form in which a scope is stored and announced."""
    if scope == EVERYTHING:
        return scope
    return hashlib.blake2b(scope.encode("utf-8", "replace"), digest_size=10).hexdigest()


def _scope(kind: str, name: str | int) -> str:
    return f"{kind}:#{name}" if isinstance(name, int) else f"{kind}:{name.lower()}"


def _area(table: Sequence[tuple[str, Area]], parts: Sequence[str]) -> Area:
    rest = "".join(f"/{part}" for part in parts)
    return next(area for start, area in table if rest.startswith(start))

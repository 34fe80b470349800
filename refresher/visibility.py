"""Whose visibility a resource shares, and who may ask for it, so that only the public gets out."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from refresher.credentials import Credential
from refresher.installation import Installation
from refresher.pages import Page
from refresher.validators import Identity
from shared.entry import Entry
from shared.resources import Resource

# Where what lies below a repository begins: `/repos/{owner}/{repo}`, `/networks/{owner}/{repo}`.
_ROOTS = frozenset({"repos", "networks"})
_REPOSITORY_SEGMENTS = 3  # repos, owner, name


@dataclass(frozen=True)
class Askers:
    """Who may ask for something.

    Args:
        among: ids of the credentials that may be used beside none at all; None for any.
        is_below_private: it lies below a private repository, which is let in with all below it.
    """

    among: Collection[str] | None = None
    is_below_private: bool = False


ANY = Askers()
BELOW_PRIVATE = Askers(is_below_private=True)
ANONYMOUS_ONLY = Askers(frozenset())


def parent_repository(resource: Resource) -> Resource | None:
    """The repository that a resource lies below; None for a repository itself and all else."""
    segments = resource.path.strip("/").split("/")
    if segments[0] not in _ROOTS or len(segments) <= _REPOSITORY_SEGMENTS:
        return None
    path = "/".join(["", "repos", *segments[1:_REPOSITORY_SEGMENTS]])
    return Resource(path, include_private=resource.include_private)


def is_private(repository: Entry | None) -> bool:
    """Whether a repository is not said to be public, so that only `INCLUDE_PRIVATE` lets it in."""
    value: dict[str, Any] = json.loads(repository.body) if repository else {}
    return value.get("private") is not False or value.get("visibility", "public") != "public"


def may_not_push(
    repository: Page, credentials: Iterable[Credential], accept: str
) -> frozenset[str]:
    """Ids of the credentials to which GitHub said that they may not push to a repository.

    To a GitHub App it says so whatever the App may do; of that its own permissions tell.

    Args:
        repository: GitHub's last answer about it, as it was sent.
        credentials: to choose from.
        accept: value of `Accept` that it is asked with.
    """
    permissions = json.loads(repository.body.unpacked()).get("permissions")
    if not isinstance(permissions, dict) or permissions.get("push") is not False:
        return frozenset()
    return frozenset(
        one.id
        for one in credentials
        if (one.is_reading if isinstance(one, Installation) else True)
        and Identity(accept, one.authorization()).fingerprint == repository.given_to
    )


def stays_below(url: str, places: Iterable[str]) -> bool:
    """Whether an address lies below one of these places, or is one of them.

    GitHub redirects issues that were transferred to where they are now: to another repository,
    whose visibility nobody has asked for.
    """
    return any(url == place or url.startswith((f"{place}/", f"{place}?")) for place in places)

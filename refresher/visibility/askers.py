"""Who may ask for something so that only what is public of it gets out."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from refresher.content.page import Page
from refresher.github.auth.app_installation import AppInstallation
from refresher.github.auth.credentials import Credential
from refresher.github.conditional import Identity


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


def may_not_push(
    repository: Page | None, credentials: Iterable[Credential], accept: str
) -> frozenset[str]:
    """Ids of the credentials to which GitHub said that they may not push to a repository.

    To a GitHub App it says so whatever the App may do; of that its own permissions tell.

    Args:
        repository: GitHub's last answer about it, as it was sent; None where that is not known.
        credentials: to choose from.
        accept: value of `Accept` that it is asked with.
    """
    if repository is None:
        return frozenset()
    permissions = json.loads(repository.body.unpacked()).get("permissions")
    if not isinstance(permissions, dict) or permissions.get("push") is not False:
        return frozenset()
    return frozenset(
        one.id
        for one in credentials
        if (one.is_reading if isinstance(one, AppInstallation) else True)
        and Identity(accept, one.authorization()).fingerprint == repository.given_to
    )


def stays_below(url: str, place: str) -> bool:
    """Whether an address lies below a place, or is it.

    GitHub redirects issues that were transferred to where they are now: to another repository,
    whose visibility nobody has asked for.
    """
    return url == place or url.startswith((f"{place}/", f"{place}?"))

"""Which credentials may request a resource so that only public data is stored."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from refresher.content.page import Page
from refresher.errors import StoredPageError
from refresher.github.auth.app_installation import AppInstallation
from refresher.github.auth.credentials import Credential
from refresher.github.conditional import Identity


@dataclass(frozen=True)
class Askers:
    """The credentials that may request a resource.

    Args:
        among: ids of the credentials that may be used, besides the anonymous one; None for any.
        is_below_private: it lies below a private repository that `INCLUDE_PRIVATE` admits.
    """

    among: Collection[str] | None = None
    is_below_private: bool = False


ANY = Askers()
BELOW_PRIVATE = Askers(is_below_private=True)
ANONYMOUS_ONLY = Askers(frozenset())


def may_not_push(
    repository: Page | None, credentials: Iterable[Credential], accept: str
) -> frozenset[str]:
    """Ids of the credentials that, as GitHub said, may not push to a repository.

    It says so to every GitHub App; for an App, only the permissions of its token count.

    Args:
        repository: GitHub's last response about it, as sent; None if it is not stored.
        credentials: to choose from.
        accept: value of `Accept` in the request.
    """
    if repository is None:
        return frozenset()
    try:
        known = json.loads(repository.body.unpacked())
    except (StoredPageError, ValueError):  # damaged: nothing is known
        return frozenset()
    permissions = known.get("permissions") if isinstance(known, dict) else None
    if not isinstance(permissions, dict) or permissions.get("push") is not False:
        return frozenset()
    return frozenset(
        one.id
        for one in credentials
        if (one.is_reading if isinstance(one, AppInstallation) else True)
        and Identity(accept, one.authorization()).fingerprint == repository.given_to
    )


def stays_below(url: str, place: str) -> bool:
    """Whether a URL is equal to another one or lies below it.

    GitHub redirects from a transferred issue to its new place, in another repository, whose
    visibility has not been checked.
    """
    return url == place or url.startswith((f"{place}/", f"{place}?"))

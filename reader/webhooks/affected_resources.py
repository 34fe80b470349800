"""Which tracked resources a GitHub event touches: a pure function of the event.

https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from collections.abc import Mapping
from typing import Any

from shared.resources.resource import Catalogue, Resource

# What changes a member of the repository list: its counts, dates, name or visibility.
_REPOSITORY_EVENTS = frozenset(
    [
        *("create", "delete", "fork", "issues", "public", "pull_request", "push", "release"),
        *("repository", "star", "watch"),
    ]
)
# What changes how many repositories there are to see, which the organisation shows.
_NUMBER_ACTIONS = frozenset(
    ["created", "deleted", "privatized", "publicized", "transferred", "archived", "unarchived"]
)
_MEMBER_EVENTS = frozenset({"member", "membership", "organization"})


def touched(event: str, payload: Mapping[str, Any], catalogue: Catalogue) -> list[Resource]:
    """The tracked resources that an event may have changed.

    Args:
        event: value of `X-GitHub-Event`.
        payload: the delivery's body.
        catalogue: what is tracked.
    """
    org = catalogue.org(_organisation(payload))
    if org is None:
        return []
    about, members = (catalogue.find(f"/orgs/{org}{end}") for end in ("", "/members"))
    action = payload.get("action")
    is_number = isinstance(action, str) and action in _NUMBER_ACTIONS
    resources: list[Resource | None] = []
    if event in _REPOSITORY_EVENTS:
        resources.append(catalogue.repositories(org))
    if event == "public" or (event == "repository" and is_number):
        resources.append(about)
    if event in _MEMBER_EVENTS:
        resources += [members, about]
    return [resource for resource in resources if resource is not None]


def _organisation(payload: Mapping[str, Any]) -> str:
    """Whose event it is: the organisation's login, or that of the repository's owner."""
    for path in (("organization", "login"), ("repository", "owner", "login")):
        value: Any = payload
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, str):
            return value
    return ""

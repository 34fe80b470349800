"""Which tracked resources a GitHub event may have changed: a pure function of the event.

What `ORGS` tracks is found by the rows of the table of kinds, what `TRACK` names by the scopes that
the event touches (`touched_scopes`).

https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES, Event
from shared.resources.resource import Resource


@dataclass(frozen=True)
class Affected:
    """A tracked resource that an event may have changed.

    Args:
        resource: the resource.
        item: of a list, GitHub's id of the item that changed; None if the event names none.
    """

    resource: Resource
    item: int | None = None


_LOGINS = (
    ("organization", "login"),
    ("repository", "owner", "login"),
    ("changes", "owner", "from", "organization", "login"),
    ("changes", "login", "from"),
)
# By the id of a list's operation: which events name the item that has changed, and where.
_ITEMS: Mapping[str, tuple[Event, ...]] = {
    "issues/list-for-repo": (
        Event("issue_comment", item=("issue",)),
        Event("issues", item=("issue",)),
    ),
    "pulls/list": (
        Event("pull_request", item=("pull_request",)),
        Event("pull_request_review", item=("pull_request",)),
        Event("pull_request_review_comment", item=("pull_request",)),
    ),
    "repos/list-releases": (Event("release", item=("release",)),),
    "repos/list-for-org": REPOSITORIES.events,
}


def affected(
    event: str, payload: Mapping[str, Any], catalogue: Catalogue, touched: Collection[str] = ()
) -> list[Affected]:
    """The tracked resources that an event may have changed, in the catalogue's order.

    Args:
        event: value of `X-GitHub-Event`.
        payload: the delivery's body.
        catalogue: what is tracked.
        touched: the scopes that the event touches.
    """
    return [
        *_affected_of_org(event, payload, catalogue),
        *(_named(one, event, payload) for one in catalogue.named_in(touched)),
    ]


def _named(resource: Resource, event: str, payload: Mapping[str, Any]) -> Affected:
    """What `TRACK` names: the whole resource, or the item that the event names."""
    operation = resource.operation
    rules = _ITEMS.get("" if operation is None else operation.id, ())
    rule = next((one for one in rules if _is_of(one, event, payload)), None)
    return Affected(resource, None if rule is None else _item(rule, payload))


def _affected_of_org(
    event: str, payload: Mapping[str, Any], catalogue: Catalogue
) -> list[Affected]:
    logins = set(_organisations(payload))
    found = []
    for org in catalogue.orgs if logins else ():
        if org.lower() not in logins:
            continue
        for kind in catalogue.kinds:
            rule = next((one for one in kind.events if _is_of(one, event, payload)), None)
            if rule is not None:
                item = _item(rule, payload) if kind.is_expanded else None
                found.append(Affected(catalogue.of_kind(kind, org), item))
    return list(dict.fromkeys(found))


def _is_of(rule: Event, event: str, payload: Mapping[str, Any]) -> bool:
    if rule.name != event:
        return False
    action = payload.get("action")
    return not rule.actions or (isinstance(action, str) and action in rule.actions)


def _item(rule: Event, payload: Mapping[str, Any]) -> int | None:
    identity = _value(payload, (*rule.item, "id")) if rule.item else None
    return identity if type(identity) is int else None  # a `bool` is an `int` in Python


def _organisations(payload: Mapping[str, Any]) -> Iterator[str]:
    """The logins, in lower case, of the organisations that the event is about.

    They are that of the event, the owner of its repository, and what either was before: who has
    transferred a repository, or an organisation that has another name now.
    """
    for path in _LOGINS:
        value = _value(payload, path)
        if isinstance(value, str):
            yield value.lower()


def _value(payload: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """What a payload holds at a path of members; None if it is not there."""
    value: Any = payload
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value

"""Which on-demand content a GitHub event may have changed: a pure function of the event.

The answer is a set of scopes (`shared.resources.event_scopes`). An event that is not in the table,
and names a repository, may have changed everything below it: it is newer than the table.

https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.resources.event_scopes import Area, area_of, owner, repository

_WHOLE = frozenset(Area)
_NONE: frozenset[Area] = frozenset()
_ENDS_A_NAME = ("renamed", "deleted")  # not a set: a payload may hold anything
_PARTS = ("repository", "organization", "sender")


@dataclass(frozen=True)
class Touch:
    """What an event changes.

    Args:
        repository: areas of the repository; all of them for the whole.
        owner: areas of its owner, and of the organisation of the event.
        sender: areas of the user who caused it.
        others: where the payload has further accounts, of which `OF_OTHERS` changes.
    """

    repository: frozenset[Area] = _NONE
    owner: frozenset[Area] = _NONE
    sender: frozenset[Area] = _NONE
    others: tuple[tuple[str, ...], ...] = ()


OF_OTHERS = frozenset({Area.ABOUT, Area.EVENTS, Area.ORGS, Area.REPOS})


def _areas(*areas: Area, sender: frozenset[Area] = frozenset({Area.EVENTS})) -> Touch:
    """The event shows in these areas of the repository, and as an event of it and its sender."""
    is_counted = Area.ABOUT in areas  # lists of repositories show what the repository shows
    of_owner = frozenset({Area.EVENTS, *([Area.REPOS] if is_counted else [])})
    return Touch(frozenset({Area.EVENTS, *areas}), of_owner, sender)


def _quiet(*areas: Area) -> Touch:
    """The event shows only in these areas of the repository."""
    return Touch(frozenset(areas))


_REPOSITORY = Touch(
    _WHOLE, frozenset({Area.ABOUT, Area.EVENTS, Area.REPOS}), frozenset({Area.EVENTS, Area.REPOS})
)
_CODE = Touch(_WHOLE, frozenset({Area.EVENTS, Area.REPOS}), frozenset({Area.EVENTS, Area.REPOS}))
_RUNS = _quiet(Area.ACTIONS, Area.CHECKS, Area.PULL)
_CHECKS = _quiet(Area.CHECKS, Area.PULL)
_DEPLOYMENTS = _quiet(Area.DEPLOYMENTS, Area.ACTIONS, Area.ISSUES)
_REVIEW = _areas(Area.PULLS, Area.PULL, Area.ISSUES)
_TEAM = Touch(
    frozenset({Area.ABOUT, Area.ISSUES}), frozenset({Area.ABOUT, Area.MEMBERS, Area.REPOS})
)
_MEMBERSHIP = Touch(
    owner=frozenset({Area.ABOUT, Area.MEMBERS, Area.EVENTS}),
    others=(("member",), ("membership", "user")),
)
_NOTHING = Touch()  # of what is public

TABLE: Mapping[str, Touch] = {
    "branch_protection_configuration": _quiet(Area.CODE),
    "branch_protection_rule": _quiet(Area.CODE, Area.PULL),
    "check_run": _CHECKS,
    "check_suite": _CHECKS,
    "code_scanning_alert": _NOTHING,
    "commit_comment": _areas(Area.COMMENTS, Area.CODE),
    "create": _CODE,
    "custom_property": _NOTHING,
    "custom_property_values": _quiet(Area.ABOUT),
    "delete": _CODE,
    "dependabot_alert": _NOTHING,
    "deploy_key": _NOTHING,
    "deployment": _DEPLOYMENTS,
    "deployment_protection_rule": _DEPLOYMENTS,
    "deployment_review": _DEPLOYMENTS,
    "deployment_status": _DEPLOYMENTS,
    "discussion": _areas(),
    "discussion_comment": _areas(),
    "fork": Touch(
        frozenset({Area.ABOUT, Area.EVENTS, Area.FORKS}),
        frozenset({Area.EVENTS, Area.REPOS}),
        frozenset({Area.ABOUT, Area.EVENTS, Area.REPOS}),
        others=(("forkee", "owner"),),
    ),
    "github_app_authorization": _NOTHING,
    "gollum": _areas(),
    "installation": _NOTHING,
    "installation_repositories": _NOTHING,
    "installation_target": _NOTHING,
    "issue_comment": _areas(Area.ISSUES, Area.PULL, Area.PULLS),
    "issue_dependencies": _quiet(Area.ISSUES),
    "issues": _areas(Area.ISSUES, Area.ABOUT),
    "label": _quiet(Area.ISSUES, Area.PULL, Area.PULLS),
    "marketplace_purchase": _NOTHING,
    "member": Touch(
        frozenset({Area.ABOUT, Area.ISSUES, Area.EVENTS}),
        frozenset({Area.ABOUT, Area.EVENTS, Area.MEMBERS}),
        others=(("member",),),
    ),
    "membership": _MEMBERSHIP,
    "merge_group": _quiet(Area.CHECKS, Area.PULL, Area.REFS),
    "meta": _NOTHING,
    "milestone": _quiet(Area.ISSUES, Area.PULL, Area.PULLS),
    "org_block": _NOTHING,
    "organization": _MEMBERSHIP,
    "package": _areas(),
    "page_build": _quiet(Area.ABOUT, Area.ACTIONS, Area.DEPLOYMENTS),
    "personal_access_token_request": _NOTHING,
    "ping": _NOTHING,
    "project": _quiet(Area.ISSUES),
    "project_card": _quiet(Area.ISSUES),
    "project_column": _NOTHING,
    "projects_v2": _NOTHING,
    "projects_v2_item": _NOTHING,
    "projects_v2_status_update": _NOTHING,
    "public": _REPOSITORY,
    "pull_request": _areas(
        Area.PULLS, Area.PULL, Area.ISSUES, Area.ABOUT, Area.REFS, Area.COMMENTS
    ),
    "pull_request_review": _REVIEW,
    "pull_request_review_comment": _REVIEW,
    "pull_request_review_thread": _REVIEW,
    "push": _CODE,
    "registry_package": _areas(),
    "release": _areas(Area.RELEASES, Area.CODE, Area.REFS),
    "repository": _REPOSITORY,
    "repository_advisory": _quiet(Area.ADVISORIES),
    "repository_dispatch": _quiet(Area.ACTIONS),
    "repository_import": _REPOSITORY,
    "repository_ruleset": _quiet(Area.CODE, Area.PULL),
    "repository_vulnerability_alert": _NOTHING,
    "secret_scanning_alert": _NOTHING,
    "secret_scanning_alert_location": _NOTHING,
    "secret_scanning_scan": _NOTHING,
    "security_advisory": _NOTHING,  # GitHub's own database, not below a repository
    "security_and_analysis": _NOTHING,
    "sponsorship": _NOTHING,
    "star": _areas(Area.ABOUT, Area.STARS, sender=frozenset({Area.EVENTS, Area.STARRED})),
    "status": _CHECKS,
    "sub_issues": _quiet(Area.ISSUES),
    "team": _TEAM,
    "team_add": _TEAM,
    "watch": _areas(Area.ABOUT, Area.STARS, sender=frozenset({Area.EVENTS, Area.STARRED})),
    "workflow_dispatch": _RUNS,
    "workflow_job": _RUNS,
    "workflow_run": _RUNS,
}
_UNKNOWN = Touch(_WHOLE, frozenset({Area.ABOUT, Area.EVENTS, Area.MEMBERS, Area.REPOS}))


def touched_scopes(event: str, payload: Mapping[str, Any], *, include_private: bool) -> list[str]:
    """The scopes that an event touches, each once, in a fixed order.

    Args:
        event: value of `X-GitHub-Event`.
        payload: the delivery's body.
        include_private: private repositories are admitted. Otherwise nothing is held of a private
            one, so an event about it touches nothing, except the one that made it private.
    """
    touch = TABLE.get(event, _UNKNOWN)
    about, organisation, sender = (_object(payload, (name,)) for name in _PARTS)
    is_hidden = about.get("private") is True and not include_private
    if is_hidden and (event, payload.get("action")) != ("repository", "privatized"):
        touch = Touch(owner=touch.owner - {Area.EVENTS, Area.REPOS}, others=touch.others)
    found = [
        *_below(_repositories(about), touch.repository),
        *_below(_accounts(_object(about, ("owner",))), touch.owner),
        *_below(_accounts(organisation), touch.owner),
        *_below(_accounts(sender), touch.sender),
    ]
    for path in touch.others:
        found += _below(_accounts(_object(payload, path)), OF_OTHERS)
    if not is_hidden:
        found += _former(event, payload, about, organisation)
    return list(dict.fromkeys(found))


def _former(
    event: str, payload: Mapping[str, Any], about: Mapping[str, Any], org: Mapping[str, Any]
) -> Iterator[str]:
    """What had another name or another owner before, as a whole."""
    changes = _object(payload, ("changes",))
    if event == "organization":
        login = _object(changes, ("login",)).get("from")
        if isinstance(login, str):
            yield owner(login)
        if payload.get("action") in _ENDS_A_NAME:
            yield from _accounts(org)
    if event != "repository":
        return
    name = about.get("name")
    login = _object(about, ("owner",)).get("login")
    former_name = _object(changes, ("repository", "name")).get("from")
    if isinstance(login, str) and isinstance(former_name, str):
        yield repository(f"{login}/{former_name}")
    for kind in ("organization", "user"):
        former = _object(changes, ("owner", "from", kind))
        yield from _below(_accounts(former), OF_OTHERS)
        if isinstance(former.get("login"), str) and isinstance(name, str):
            yield repository(f"{former['login']}/{name}")


def _below(wholes: Sequence[str], areas: frozenset[Area]) -> list[str]:
    if areas == _WHOLE:
        return list(wholes)
    return [area_of(whole, area) for whole in wholes for area in sorted(areas)]


def _repositories(about: Mapping[str, Any]) -> list[str]:
    """The scope of a repository by its name and by its id."""
    name, login, number = (
        about.get("name"),
        _object(about, ("owner",)).get("login"),
        about.get("id"),
    )
    full_name = about.get("full_name")
    found = []
    if isinstance(name, str) and isinstance(login, str):
        found.append(repository(f"{login}/{name}"))
    elif isinstance(full_name, str):
        found.append(repository(full_name))
    if type(number) is int:
        found.append(repository(number))
    return found


def _accounts(account: Mapping[str, Any]) -> list[str]:
    """The scope of an account by its login and by its id."""
    login, number = account.get("login"), account.get("id")
    found = [owner(login)] if isinstance(login, str) else []
    return [*found, owner(number)] if type(number) is int else found


def _object(payload: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    """The object that a payload holds at a path of members; empty if it holds no object there."""
    value: Any = payload
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}

"""The control API under `/_control/`: not counted, not charged, without faults."""

import json
import time
from collections.abc import Callable
from typing import Any, Final

from tests.fakegithub import mutations
from tests.fakegithub.bodies import organization_full, simple_user
from tests.fakegithub.counters import Counters
from tests.fakegithub.faults import fault_from_json
from tests.fakegithub.github import GitHub
from tests.fakegithub.http_messages import HttpResponse, Request, compact_json
from tests.fakegithub.viewers import ANONYMOUS_VIEWER, viewer_from_json
from tests.fakegithub.world import Account

UNCOUNTED: Final = Counters()  # counts the bytes of control responses, which nothing reads


def handle(github: GitHub, request: Request) -> HttpResponse:
    """The response to a control request; 400 with the reason if the request is invalid."""
    path = request.path.removeprefix("/_control")
    action = ACTIONS.get((request.method, path))
    if action is None:
        known = ", ".join(f"{method} {path}" for method, path in ACTIONS)
        return json_response(404, {"error": f"no such control: {request.method} {path}; {known}"})
    try:
        body = json.loads(request.body or b"{}")
        if not isinstance(body, dict):
            return json_response(400, {"error": "a JSON object is expected"})
        return json_response(200, action(github, body, dict(request.query)))
    except (ValueError, TypeError, KeyError) as error:
        return json_response(400, {"error": f"{type(error).__name__}: {error}"})


def json_response(status: int, value: Any) -> HttpResponse:
    """A JSON response."""
    return HttpResponse(status, {"Content-Type": "application/json"}, compact_json(value))


def get_counters(github: GitHub, _body: dict[str, Any], _query: dict[str, str]) -> Any:
    """Counters since the start or the last reset, and the last requests."""
    with github.limits.lock:
        in_flight = sum(github.limits.in_flight.values())
    return github.counters.snapshot() | {"in_flight": in_flight}


def reset_counters(github: GitHub, _body: dict[str, Any], _query: dict[str, str]) -> Any:
    """Reset all counters; rate limits run on."""
    github.counters.reset()
    return {}


def installation_tokens(github: GitHub, _body: dict[str, Any], _query: dict[str, str]) -> Any:
    """The tokens that installations of GitHub Apps were given, oldest first."""
    return github.installations.tokens()


def get_deliveries(github: GitHub, _body: dict[str, Any], _query: dict[str, str]) -> Any:
    """All attempts to deliver an event, the newest first."""
    return [one.as_json() for one in github.hooks.log.newest_first()]


def get_faults(github: GitHub, _body: dict[str, Any], _query: dict[str, str]) -> Any:
    """The faults in force."""
    return github.faults.snapshot()


def order_fault(github: GitHub, body: dict[str, Any], _query: dict[str, str]) -> Any:
    """Put a fault in force."""
    return {"id": github.faults.order(fault_from_json(body))}


def clear_faults(github: GitHub, _body: dict[str, Any], _query: dict[str, str]) -> Any:
    """Remove all faults; hanging requests end."""
    github.faults.clear()
    return {}


def mutate(github: GitHub, body: dict[str, Any], _query: dict[str, str]) -> Any:
    """Change the world now."""
    return github.mutate(body, now=time.time())


def order_script(github: GitHub, body: dict[str, Any], _query: dict[str, str]) -> Any:
    """Change the world after a page was served."""
    return {"id": github.scripts.order(body)}


def clear_scripts(github: GitHub, _body: dict[str, Any], _query: dict[str, str]) -> Any:
    """Remove all scripts."""
    github.scripts.clear()
    return {}


def configure(github: GitHub, body: dict[str, Any], _query: dict[str, str]) -> Any:
    """Change rules; a new window length, or `reset_limits`, starts all windows afresh."""
    fresh = body.pop("reset_limits", False)
    with github.lock:
        github.config = github.config.changed(body)
    if fresh or "window_seconds" in body:
        github.limits.forget()
    return {}


def requested_org(github: GitHub, query: dict[str, str]) -> Account:
    """The organisation a query names, by default the first."""
    first = next(iter(github.world.accounts.values())).login
    org = github.world.account(query.get("org", first), "Organization")
    if org is None:
        raise ValueError(f"no such organisation: {query.get('org')}")
    return org


def true_repos(github: GitHub, _body: dict[str, Any], query: dict[str, str]) -> Any:
    """The whole list in default order and in the form for `role`; `private=1`: all of it."""
    role = query.get("role", ANONYMOUS_VIEWER.role)
    viewer = ANONYMOUS_VIEWER if role == ANONYMOUS_VIEWER.role else viewer_from_json({"role": role})
    private = query.get("private") == "1"
    with github.world.lock:
        org = requested_org(github, query)
        return mutations.true_repos(github.public_base, org, private=private, viewer=viewer)


def true_members(github: GitHub, _body: dict[str, Any], query: dict[str, str]) -> Any:
    """The whole list of public members in default order; `concealed=1`: of all members."""
    with github.world.lock:
        org = requested_org(github, query)
        members = org.members if query.get("concealed") == "1" else org.public_members()
        return [simple_user(github.public_base, member) for member in members]


def true_org(github: GitHub, _body: dict[str, Any], query: dict[str, str]) -> Any:
    """The organisation."""
    with github.world.lock:
        return organization_full(github.public_base, requested_org(github, query))


ACTIONS: Final[dict[tuple[str, str], Callable[[GitHub, dict[str, Any], dict[str, str]], Any]]] = {
    ("GET", "/counters"): get_counters,
    ("POST", "/reset-counters"): reset_counters,
    ("GET", "/installation-tokens"): installation_tokens,
    ("GET", "/deliveries"): get_deliveries,
    ("GET", "/faults"): get_faults,
    ("POST", "/faults"): order_fault,
    ("DELETE", "/faults"): clear_faults,
    ("POST", "/mutations"): mutate,
    ("POST", "/scripts"): order_script,
    ("DELETE", "/scripts"): clear_scripts,
    ("POST", "/config"): configure,
    ("GET", "/world/repos"): true_repos,
    ("GET", "/world/members"): true_members,
    ("GET", "/world/org"): true_org,
}

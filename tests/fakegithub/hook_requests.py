"""Requests about a webhook: which it is, its deliveries, and one of them once more.

Sources: docs.github.com "REST API endpoints for GitHub App webhooks" and "... for organization
webhooks": cursors, and who may ask.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from tests.fakegithub import api_responses
from tests.fakegithub.api_responses import ApiResponse
from tests.fakegithub.delivery_log import Attempt
from tests.fakegithub.http_messages import Request, compact_json

SCOPE: Final = "admin:org_hook"
_PATHS: Final = re.compile(
    r"(?P<owner>/app/hook|/orgs/(?P<org>[^/]+)/hooks)"
    r"(?:/(?P<hook>[0-9]+)(?=/))?(?:/(?P<what>config|deliveries))?"
    r"(?:/(?P<delivery>[0-9]+)/attempts)?"
)


@dataclass(frozen=True)
class HookRequest:
    """A request about a webhook; `org` is None for that of an App."""

    org: str | None
    hook: int | None
    what: str | None
    delivery: int | None
    is_post: bool


def asked(request: Request) -> HookRequest | None:
    """What a request asks of a webhook; None for any other request."""
    found = _PATHS.fullmatch(request.path)
    if found is None or request.method not in ("GET", "POST"):
        return None
    hook, delivery = (int(found[name]) if found[name] else None for name in ("hook", "delivery"))
    if (request.method == "POST") != (delivery is not None):
        return None
    return HookRequest(found["org"], hook, found["what"], delivery, request.method == "POST")


def page(request: Request, attempts: list[Attempt], *, url: str) -> ApiResponse:
    """One page of a list of deliveries, the newest first, with `Link`.

    request: with `per_page`, `cursor` and `status`.
    url: of the list, without a query.
    """
    query = dict(request.query)
    size = max(1, min(100, int(query.get("per_page", 30))))
    classes = {"success": range(200, 400), "failure": range(400, 600)}
    wanted = classes.get(query.get("status", ""))
    attempts = [one for one in attempts if wanted is None or one.code in wanted]
    if cursor := query.get("cursor"):
        last = int(cursor.removeprefix("v1_"))
        attempts = [one for one in attempts if one.id <= last]
    body = compact_json([one.as_json() for one in attempts[:size]])
    fields: dict[str, str | None] = {}
    if len(attempts) > size:
        following = f"{url}?per_page={size}&cursor=v1_{attempts[size].id}"
        fields["Link"] = f'<{following}>; rel="next"'
    return ApiResponse(200, body, validated=True, headers=fields)


def hook_body(number: int, url: str) -> dict[str, Any]:
    """An organisation's webhook (schema `org-hook`, the part that matters)."""
    config = {"url": url, "content_type": "json", "insecure_ssl": "0", "secret": "********"}
    return {"id": number, "name": "web", "active": True, "events": ["*"], "config": config}


def found(attempts: list[Attempt], number: int) -> Attempt | None:
    """The attempt of an id."""
    return next((one for one in attempts if one.id == number), None)


def answer(attempt: Attempt | None) -> ApiResponse:
    """The response to a request for a redelivery of an attempt; None for one that is not known."""
    return api_responses.not_found() if attempt is None else ApiResponse(202, b"{}")


def shown(about: HookRequest, number: int, url: str) -> ApiResponse:
    """An App's configuration of its webhook, or the list of an organisation's webhooks."""
    body = hook_body(number, url)
    return ApiResponse(
        200, compact_json(body["config"] if about.org is None else [body]), validated=True
    )

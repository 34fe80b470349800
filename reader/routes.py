"""What a reader answers to which path: thin, each decision is made elsewhere."""

import time
from pathlib import Path

from flask import Blueprint, Response, g, request
from redis import RedisError
from werkzeug.exceptions import MethodNotAllowed

from reader.bodies.wanted_bodies import POSTED_TO, WEBHOOK
from reader.errors import NotFound, Unavailable
from reader.fleet.metrics import CONTENT_TYPE as METRICS_TYPE
from reader.fleet.metrics import expose
from reader.fleet.snapshot import NodeView
from reader.response.client_url import path_of
from reader.response.health import healthcheck as health_answer
from reader.response.health import json_response
from reader.response.health import livez as life_answer
from reader.response.response import CORS_HEADERS, Conditions, to_response
from reader.response.target import parse_target
from reader.web.request import header, origin, process, response, target
from reader.webhooks.receiver import MAX_BYTES, Delivery
from shared.github_form import JSON

routes = Blueprint("reader", __name__)

# Made of docs/openapi.yaml by `python -m scripts.openapi`.
_OPENAPI = Path(__file__).with_name("openapi.json")


def allowed_methods(path: str) -> str:
    """Value of `Allow` (RFC 9110 section 10.2.1) for a path."""
    return "OPTIONS, POST" if path in POSTED_TO else "GET, HEAD, OPTIONS"


@routes.before_request
def check_target() -> None:
    """Refuse what Werkzeug would route in spite of a second slash before it."""
    if target().startswith("//"):
        raise NotFound


@routes.get("/livez")
def livez() -> Response:
    """Whether the process answers at all."""
    return response(life_answer())


@routes.get("/healthcheck")
def healthcheck() -> Response:
    """200 once every tracked resource can be served, else 503 that names what is missing."""
    return response(health_answer(process().missing()))


@routes.get("/metrics")
def metrics() -> Response:
    """What Prometheus reads; without what is in Redis while that is away."""
    counts, gauges, processes = process().reporter.node()
    text = expose(NodeView(counts, gauges, processes), process().tracked(), process().fleet())
    return Response(text, content_type=METRICS_TYPE, headers={"Cache-Control": "no-store"})


@routes.get("/openapi.json")
def openapi() -> Response:
    """What is served here, as OpenAPI has it."""
    body = _OPENAPI.read_bytes()
    headers = {"Cache-Control": "public, max-age=3600", **CORS_HEADERS}
    return Response(body, content_type=JSON, headers=headers)


@routes.post(WEBHOOK)
def github_webhook() -> Response:
    """GitHub tells of a change; what it touches is refreshed."""
    if not process().settings.webhook_secrets:
        raise NotFound
    delivery = Delivery.of(lambda name: header(name) or "")
    request.max_content_length = MAX_BYTES
    try:
        resources = process().start().webhooks.take(request.get_data(), delivery)
    except RedisError as error:  # GitHub keeps the delivery, to be sent again
        raise Unavailable("The cache's store cannot be reached.", retry_after=1) from error
    names = [resource.name for resource in resources]
    return response(json_response({"refreshing": names}, status=202))


@routes.get("/", defaults={"path": ""})
@routes.get("/<path:path>")
def resource(path: str) -> Response:
    """A tracked resource, a page of one, a ranked view, or anything allowed on demand."""
    if f"/{path}" in POSTED_TO:
        raise MethodNotAllowed
    asked = target()  # the path as it was sent is what counts
    selection = parse_target(process().catalogue, asked)
    g.route = selection.route
    conditions = Conditions(
        url=origin() + path_of(asked),
        accept_encoding=header("Accept-Encoding"),
        if_none_match=header("If-None-Match"),
        if_modified_since=header("If-Modified-Since"),
    )
    found = process().lookup.get(selection.resource, request_id=g.request_id)
    representation = selection.represent(found.entry)
    now = time.time()
    ready = to_response(representation, conditions, served=found.served, now=now)
    is_stale = not found.entry.metadata.is_fresh(now)
    g.labels = selection.labels(found.served, ready.status, is_stale=is_stale)
    return response(ready)


@routes.route("/", methods=["OPTIONS"], defaults={"path": ""})
@routes.route("/<path:path>", methods=["OPTIONS"])
def preflight(path: str) -> Response:
    """What a browser asks before a request from another origin, as GitHub answers it."""
    allowed = allowed_methods(f"/{path}")
    headers = {
        **CORS_HEADERS,
        "Allow": allowed,
        "Access-Control-Allow-Methods": allowed,
        "Access-Control-Allow-Headers": (
            "Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, "
            "If-Unmodified-Since, X-GitHub-OTP, X-Requested-With, User-Agent, GraphQL-Features, "
            "X-Github-Next-Global-ID, X-GitHub-Api-Version"
        ),
        "Access-Control-Max-Age": "86400",
    }
    return Response(status=204, headers=headers)

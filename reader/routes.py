"""The paths of a reader: thin, since each decision is made elsewhere."""

from pathlib import Path

from flask import Blueprint, Response, g, request
from redis import RedisError
from werkzeug.exceptions import MethodNotAllowed

from reader.bodies.wanted_bodies import POSTED_TO, WEBHOOK
from reader.cache.refresh_requests import Requester
from reader.changes.following import CHANGES
from reader.errors import NotFound, Unavailable
from reader.fleet.metrics import CONTENT_TYPE as METRICS_TYPE
from reader.fleet.metrics import expose
from reader.fleet.view import NodeView
from reader.response.health import HEALTHCHECK, LIVEZ
from reader.response.health import health as health_response
from reader.response.mount import split_mount
from reader.response.rate_limits import RATE_LIMIT
from reader.response.refused_paths import allowed_methods
from reader.response.respond import respond
from reader.response.response import CORS_HEADERS, json_response
from reader.response.target import parse_target
from reader.web.request import age_bound, client_address, fields, header, process, response, target
from reader.webhooks.receiver import MAX_BYTES, Delivery
from shared import api_versions
from shared.github_form import JSON

routes = Blueprint("reader", __name__)

# Made from docs/openapi.yaml by `python -m scripts.openapi`.
_OPENAPI = Path(__file__).with_name("openapi.json")


@routes.before_request
def check_target() -> None:
    """Refuse a target that begins with `//`, which Werkzeug would route."""
    if split_mount(target())[1].startswith("//"):
        raise NotFound


@routes.get(LIVEZ)
@routes.get(HEALTHCHECK)
def health() -> Response:
    """The health checks, if no ASGI application has responded before Flask."""
    local = process().start().local
    found = health_response(request.path, lambda: local.missing(process().catalogue.tracked))
    assert found is not None
    return response(found)


@routes.get("/metrics")
def metrics() -> Response:
    """Metrics for Prometheus; without those in Redis while Redis is unavailable."""
    counts, gauges, processes = process().start().reporter.node()
    node, refusing = NodeView(counts, gauges, processes), process().start().troubles.refusing
    trouble = None if refusing is None else refusing.trouble
    fleet = process().fleet()
    holds = process().public_holds(fleet)
    text = expose(node, process().tracked(), fleet, trouble, holds)
    return Response(text, content_type=METRICS_TYPE, headers={"Cache-Control": "no-store"})


@routes.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI description of this API."""
    body = _OPENAPI.read_bytes()
    headers = {"Cache-Control": "public, max-age=3600", **CORS_HEADERS}
    return Response(body, content_type=JSON, headers=headers)


@routes.get(RATE_LIMIT)
def rate_limit() -> Response:
    """What the fleet has left for requests on demand; it costs none of it, as at GitHub."""
    limits = process().start().limits
    return response(json_response(limits.document(), headers=limits.fields(RATE_LIMIT)))


@routes.get(CHANGES)
def changes() -> Response:
    """The change feed, which only the ASGI application behind the front serves."""
    raise Unavailable("This server has no change feed: it runs without the front.", retry_after=60)


@routes.post(WEBHOOK)
def github_webhook() -> Response:
    """Receive a delivery of GitHub's; the resources that its event affects are refreshed."""
    if not process().settings.webhook_secrets:
        raise NotFound
    delivery = Delivery.of(lambda name: header(name) or "")
    request.max_content_length = MAX_BYTES
    try:
        resources = process().start().webhooks.take(request.get_data(), delivery)
    except RedisError as error:  # GitHub keeps the delivery for a redelivery
        raise Unavailable("The cache's store cannot be reached.", retry_after=1) from error
    names = [resource.name for resource in resources]
    return response(json_response({"refreshing": names}, status=202))


@routes.get("/", defaults={"path": ""})
@routes.get("/<path:path>")
def resource(path: str) -> Response:
    """A tracked resource, a page of one, a ranked view, or anything allowed on demand."""
    if f"/{path}" in POSTED_TO:
        raise MethodNotAllowed
    reader = process()
    wanted = parse_target(
        reader.catalogue,
        target(),  # as sent, not Flask's path
        accept=header("Accept"),
        version=header(api_versions.HEADER),
    )
    g.route = wanted.route
    request_fields = fields()  # before the lookup: a bad request must not cause a refresh
    requester = Requester(client_address(), g.request_id)
    found = reader.start().lookup.get(wanted.resource, requester, age_bound())
    entry, rewrite = found.entry, None
    if wanted.mount:
        own = request_fields.base + wanted.mount
        entry, rewrite = reader.start().mounts.get(wanted.resource, entry, own)
    ready, g.labels = respond(
        wanted,
        entry,
        request_fields,
        served=found.served,
        now=reader.clock(),
        rewrite=rewrite,
        limits=reader.start().limits.fields(wanted.resource.path),
    )
    return response(ready)


@routes.route("/", methods=["OPTIONS"], defaults={"path": ""})
@routes.route("/<path:path>", methods=["OPTIONS"])
def preflight(path: str) -> Response:
    """The CORS preflight request of a browser, with the response that GitHub gives."""
    allowed = allowed_methods(is_posted_to=f"/{path}" in POSTED_TO)
    headers = {
        **CORS_HEADERS,
        "Allow": allowed,
        "Access-Control-Allow-Methods": allowed,
        # The last three are ours: bounds on age, and followers of /changes that use `fetch`.
        "Access-Control-Allow-Headers": (
            "Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, "
            "If-Unmodified-Since, X-GitHub-OTP, X-Requested-With, User-Agent, GraphQL-Features, "
            "X-Github-Next-Global-ID, X-GitHub-Api-Version, Cache-Control, Pragma, Last-Event-ID"
        ),
        "Access-Control-Max-Age": "86400",
    }
    return Response(status=204, headers=headers)

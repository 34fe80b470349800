"""What a reader answers to which path: thin, each decision is made elsewhere."""

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Blueprint, Response, current_app, g, request
from redis import RedisError
from werkzeug.datastructures import Headers

from reader.answer import CORS_HEADERS, Answer, Conditions, answer
from reader.client_url import Address, is_trusted, path_of
from reader.errors import NotFound, Unavailable
from reader.fleet import NodeView
from reader.health import healthcheck as health_answer
from reader.health import json_answer
from reader.health import livez as life_answer
from reader.metrics import CONTENT_TYPE as METRICS_TYPE
from reader.metrics import expose
from reader.node import Node
from reader.request_ids import HEADER as REQUEST_ID
from reader.selection import select
from reader.tallies import Kind, Route, served_by_status
from reader.webhooks import MAX_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

routes = Blueprint("reader", __name__)

ALLOWED_METHODS = "GET, HEAD, OPTIONS"
_OWN_ROUTES = frozenset(
    {
        *(Route.HEALTHCHECK, Route.LIVEZ, Route.METRICS, Route.WEBHOOK),
        *(Route.STATUS, Route.STATUS_JSON, Route.STATUS_ACTION),
    }
)


@routes.before_request
def check_target() -> None:
    """Refuse what Werkzeug would route in spite of a second slash before it."""
    if _target().startswith("//"):
        raise NotFound


@routes.before_app_request
def begin() -> None:
    """Note when a request began, and what it is called."""
    g.began = time.perf_counter()
    sent = request.headers.get(REQUEST_ID, "")
    g.request_id = _node().observer.request_ids.of(sent.encode("latin-1", "replace"))


@routes.after_app_request
def end(response: Response) -> Response:
    """Name the request in its answer; count it, and log it where it is this one's turn."""
    response.headers[REQUEST_ID] = g.request_id
    status = response.status_code
    rule = request.url_rule.rule if request.url_rule else ""
    route = Route(rule) if rule in _OWN_ROUTES else Route.OTHER
    _node().observer.answered(
        g.get("kind") or Kind(g.get("route", route), served_by_status(status), status),
        method=request.method,
        target=_target(),
        seconds=time.perf_counter() - g.began,
        request_id=g.request_id,
        client=request.environ.get("REMOTE_ADDR", ""),
    )
    return response


@routes.get("/livez")
def livez() -> Response:
    """Whether the process answers at all."""
    return _response(life_answer())


@routes.get("/healthcheck")
def healthcheck() -> Response:
    """200 once every tracked resource can be served, else 503 that names what is missing."""
    return _response(health_answer(_node().missing()))


@routes.get("/metrics")
def metrics() -> Response:
    """What Prometheus reads; without what is in Redis while that is away."""
    node, parts = _node(), _node().start()
    counts, gauges, processes = parts.observer.node()
    try:
        fleet = parts.fleet.look()
    except (RedisError, TimeoutError):
        fleet = None
    text = expose(NodeView(counts, gauges, processes), node.tracked(), fleet)
    return Response(text, content_type=METRICS_TYPE, headers={"Cache-Control": "no-store"})


@routes.post("/webhooks/github")
def github_webhook() -> Response:
    """GitHub tells of a change; what it touches is refreshed."""
    if not _node().settings.webhook_secrets:
        raise NotFound
    webhooks = _node().start().webhooks
    request.max_content_length = MAX_BYTES
    try:
        resources = webhooks.take(
            request.get_data(),
            signature=request.headers.get("X-Hub-Signature-256", ""),
            delivery=request.headers.get("X-GitHub-Delivery", ""),
            event=request.headers.get("X-GitHub-Event", ""),
        )
    except RedisError as error:  # GitHub keeps the delivery, to be sent again
        raise Unavailable("The cache's store cannot be reached.", retry_after=1) from error
    names = [resource.name for resource in resources]
    return _response(json_answer({"refreshing": names}, status=202))


@routes.get("/", defaults={"path": ""})
@routes.get("/<path:path>")
def resource(path: str) -> Response:  # noqa: ARG001 - the path as sent is what counts
    """A tracked resource, a page of one, a ranked view, or anything allowed on demand."""
    target = _target()
    selection = select(_node().catalogue, target)
    g.route = selection.route
    conditions = Conditions(
        url=_origin() + path_of(target),
        accept_encoding=_header("Accept-Encoding"),
        if_none_match=_header("If-None-Match"),
        if_modified_since=_header("If-Modified-Since"),
    )
    found = _node().read_path.get(selection.resource, request_id=g.request_id)
    representation = selection.represent(found.entry)
    now = time.time()
    ready = answer(representation, conditions, served=found.served, now=now)
    is_stale = not found.entry.metadata.is_fresh(now)
    g.kind = selection.kind(found.served, ready.status, is_stale=is_stale)
    return _response(ready)


@routes.route("/", methods=["OPTIONS"], defaults={"path": ""})
@routes.route("/<path:path>", methods=["OPTIONS"])
def preflight(path: str) -> Response:  # noqa: ARG001
    """What a browser asks before a request from another origin, as GitHub answers it."""
    headers = {
        **CORS_HEADERS,
        "Allow": ALLOWED_METHODS,
        "Access-Control-Allow-Methods": ALLOWED_METHODS,
        "Access-Control-Allow-Headers": (
            "Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, "
            "If-Unmodified-Since, X-GitHub-OTP, X-Requested-With, User-Agent, GraphQL-Features, "
            "X-Github-Next-Global-ID, X-GitHub-Api-Version"
        ),
        "Access-Control-Max-Age": "86400",
    }
    return Response(status=204, headers=headers)


def _node() -> Node:
    node = current_app.extensions["node"]
    assert isinstance(node, Node)
    return node


def _target() -> str:
    """The request target as the client sent it.

    WSGI's own PATH_INFO is decoded, and so cannot tell `%2F` from `/`; RAW_URI, which gunicorn
    and Werkzeug set, is not, nor is an ASGI server's `raw_path`. A server without either gets the
    decoded path, encoded again.
    """
    environ = request.environ
    query = environ.get("QUERY_STRING", "")
    raw_path = environ.get("asgi.scope", {}).get("raw_path")
    raw = _joined(raw_path.decode("latin-1"), query) if raw_path else environ.get("RAW_URI", "")
    return raw if raw.startswith("/") else _joined(quote(request.path), query)


def _joined(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _origin() -> str:
    peer = request.environ.get("REMOTE_ADDR", "")
    trusts = is_trusted(peer, _node().settings.trusted_networks)
    return Address(
        scheme=request.environ["wsgi.url_scheme"],
        host=_header("Host"),
        forwarded_host=_header("X-Forwarded-Host") if trusts else None,
        forwarded_proto=_header("X-Forwarded-Proto") if trusts else None,
    ).origin


def _header(name: str) -> str | None:
    return request.headers.get(name)


class _Exact(Response):
    """Sent as it stands, which is as the front sends it; Werkzeug takes fields from a 304."""

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:  # noqa: ARG002
        """The fields as they are."""
        return self.headers


def _response(ready: Answer) -> Response:
    response = _Exact(ready.body, status=ready.status)
    # Flask's own Content-Type and Content-Length give way to the answer's.
    response.headers.clear()
    response.headers.extend(ready.headers)
    response.automatically_set_content_length = False
    return response

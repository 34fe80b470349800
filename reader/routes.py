"""What a reader answers to which path: thin, each decision is made elsewhere."""

import json
import time
from urllib.parse import quote

from flask import Blueprint, Response, current_app, request
from redis import RedisError

from reader.answer import CORS_HEADERS, Answer, Conditions, answer
from reader.errors import NotFound, Unavailable
from reader.node import Node
from reader.read_path import Found
from reader.representation import Representation, View, is_page_query, page, whole
from reader.webhooks import MAX_BYTES
from shared.github_form import JSON
from shared.resources import Resource

routes = Blueprint("reader", __name__)

ALLOWED_METHODS = "GET, HEAD, OPTIONS"


@routes.before_request
def check_target() -> None:
    """Refuse what Werkzeug would route in spite of a second slash before it."""
    if _target().startswith("//"):
        raise NotFound


@routes.get("/livez")
def livez() -> Response:
    """Whether the process answers at all."""
    return _json({"status": "ok"})


@routes.get("/healthcheck")
def healthcheck() -> Response:
    """200 once every tracked resource can be served, else 503 that names what is missing."""
    missing = [resource.name for resource in _node().missing()]
    if missing:
        return _json({"status": "unavailable", "missing": missing}, status=503)
    return _json({"status": "ok"})


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
    return _json({"refreshing": [resource.name for resource in resources]}, status=202)


@routes.get("/view/<direction>/<count>/<metric>")
def ranked_view(direction: str, count: str, metric: str) -> Response:
    """A ranked view of a tracked organisation's repositories."""
    view = View.parse(direction, count, metric)
    catalogue = _node().catalogue
    org = catalogue.org(request.args.get("org", catalogue.orgs[0]))
    if org is None:
        raise NotFound("Not Found: the organisation is not tracked here.")
    found = _node().read_path.get(catalogue.repositories(org))
    return _send(found, view.of(found.entry))


@routes.get("/", defaults={"path": ""})
@routes.get("/<path:path>")
def resource(path: str) -> Response:  # noqa: ARG001 - the path as sent is what counts
    """A tracked resource, a page of one, or anything allowed on demand."""
    path_sent, _, query = _target().partition("?")
    if is_page_query(query):
        listed = _node().catalogue.find(path_sent)
        if listed is not None and listed.expanded:
            found = _node().read_path.get(listed)
            return _send(found, page(found.entry, query))
    found = _node().read_path.get(_find(path_sent, query))
    return _send(found, whole(found.entry))


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


def _find(path: str, query: str) -> Resource:
    found = _node().catalogue.find(path, query)
    if found is None:
        raise NotFound
    return found


def _target() -> str:
    """The request target as the client sent it.

    WSGI's own PATH_INFO is decoded, and so cannot tell `%2F` from `/`; RAW_URI, which gunicorn
    and Werkzeug set, is not. A server without it gets the decoded path, encoded again.
    """
    target: str | None = request.environ.get("RAW_URI")
    if target is not None and target.startswith("/"):
        return target
    query = request.query_string.decode("latin-1")
    return quote(request.path) + (f"?{query}" if query else "")


def _send(found: Found, representation: Representation) -> Response:
    path = quote(request.path, safe="/!$&'()*+,;=:@~-._")
    conditions = Conditions(
        url=request.host_url.rstrip("/") + path,
        accept_encoding=request.headers.get("Accept-Encoding"),
        if_none_match=request.headers.get("If-None-Match"),
    )
    return _response(answer(representation, conditions, served=found.served, now=time.time()))


def _response(ready: Answer) -> Response:
    response = Response(ready.body, status=ready.status)
    # Flask's own Content-Type and Content-Length give way to the answer's.
    response.headers.clear()
    response.headers.extend(ready.headers)
    response.automatically_set_content_length = False
    return response


def _json(value: object, *, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store", **CORS_HEADERS}
    return Response(json.dumps(value), status=status, content_type=JSON, headers=headers)

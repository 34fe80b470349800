"""Each request of Flask's is named, counted, and logged where it is its turn."""

import time

from flask import Flask, Response, g, request

from reader.telemetry.counters import RequestLabels, Route, served_by_status
from reader.telemetry.request_ids import HEADER
from reader.web.request import client, header, process, target

# Those whose rules are spelled as they are counted.
_OWN_ROUTES = frozenset(
    {
        *(Route.HEALTHCHECK, Route.LIVEZ, Route.METRICS, Route.WEBHOOK),
        *(Route.STATUS, Route.STATUS_JSON, Route.OPENAPI),
    }
)


def note_requests(app: Flask) -> None:
    """Have the requests of an application noted.

    A view that sends content says what it is counted as in `g.labels`; one that only knows what was
    asked for, in `g.route`.
    """
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.began = time.perf_counter()
    sent = header(HEADER) or ""
    g.request_id = process().reporter.request_ids.of(sent.encode("latin-1", "replace"))


def _end(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    status = response.status_code
    process().reporter.answered(
        g.get("labels") or RequestLabels(_route(), served_by_status(status), status),
        method=request.method,
        target=target(),
        seconds=time.perf_counter() - g.began,
        request_id=g.request_id,
        client=client(),
    )
    return response


def _route() -> Route:
    if "route" in g:
        route: Route = g.route
        return route
    rule = request.url_rule.rule if request.url_rule else ""
    return Route(rule) if rule in _OWN_ROUTES else Route.OTHER

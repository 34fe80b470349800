"""Flask hooks: give each request an id, check its head, count it, and log it if it is sampled."""

from flask import Flask, Response, g, request

from reader.telemetry.counters import RequestLabels, Route
from reader.telemetry.request_ids import GITHUB_HEADER, HEADER
from reader.web.request import check_head, client, header, process, target

# The routes whose rule in Flask is spelled like their label.
_OWN_ROUTES = frozenset(
    {
        *(Route.HEALTHCHECK, Route.LIVEZ, Route.METRICS, Route.WEBHOOK),
        *(Route.STATUS, Route.STATUS_JSON, Route.OPENAPI),
        *(Route.OPERATIONS, Route.RATE_LIMIT, Route.CHANGES),
    }
)


def add_request_hooks(app: Flask) -> None:
    """Add the hooks to an application.

    A view that sends content sets `g.labels`; a view that only knows the route sets `g.route`.
    """
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    telemetry = process().start().telemetry
    g.request = telemetry.begin(
        method=request.method,
        target=target(),
        client=client(),
        sent_id=(header(HEADER) or "").encode("latin-1", "replace"),
        began=telemetry.stopwatch(),
    )
    g.request_id = g.request.id
    # A process is not dead because a load balancer's health check sends an odd `Host`.
    if request.path not in {Route.HEALTHCHECK, Route.LIVEZ}:
        check_head()


def _end(response: Response) -> Response:
    response.headers[HEADER] = response.headers[GITHUB_HEADER] = g.request_id
    labels = g.get("labels") or RequestLabels.without_content(_route(), response.status_code)
    process().start().telemetry.end(g.request, labels)
    return response


def _route() -> Route:
    if "route" in g:
        route: Route = g.route
        return route
    rule = request.url_rule.rule if request.url_rule else ""
    return Route(rule) if rule in _OWN_ROUTES else Route.OTHER

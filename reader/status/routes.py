"""The paths of the status page: `/status`, `/status.json`, runbooks, the operator's actions."""

from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request
from redis import RedisError
from werkzeug.wrappers import Response as AnyResponse

from reader.errors import ApiError, Forbidden, NotFound, TooMany, Unauthorized, Unavailable
from reader.fleet.hold_facts import MINUTE_S
from reader.response.response import json_response
from reader.status.actions import Action, log, perform
from reader.status.admin import COOKIE, Admin
from reader.status.guesses import Guesses, throttling
from reader.status.page import page_of
from reader.status.page_input import JsonObject, PageInput
from reader.status.runbooks import runbooks
from reader.status.sessions import LIFETIME_S, Session, Sessions
from reader.status.withdrawn import without_withdrawn
from reader.telemetry.counters import Route
from reader.web.delayed_responses import hold
from reader.web.request import client, header, origin, process, response

status_routes = Blueprint(
    "status",
    __name__,
    template_folder="templates",
    static_folder="assets",
    static_url_path="/status/assets",
)

# Only our own files: no inline script or style, no other site's frame, form or image.
_PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_LOGGED_OF_MANY = 1000  # of the wrong tokens that get no response, one of so many is logged
_PROOF = "Give ADMIN_TOKEN: `Authorization: Bearer ...`, or sign in on /status."


def register(app: Flask) -> None:
    """Register the status page with an application."""
    served_by = app.extensions["process"]
    app.extensions["admin"] = Admin(served_by.settings.admin_token, Guesses(served_by.clock))
    app.register_blueprint(status_routes)


@status_routes.get("/status")
def status_page() -> Response:
    """The page as HTML."""
    try:
        session = _viewer_session()
    except (Unauthorized, TooMany) as error:
        return _sign_in_again(error, is_wrong=_bearer_token() is not None)
    message = None if session is None else session.text(request.args.get("said", ""))
    return _html("status.html", page=_page(session), session=session, said=message)


@status_routes.get("/status.json")
def status_json() -> Response:
    """The page as JSON, for programs and for the page's script."""
    session = _viewer_session()
    serialized = json_response(_page(session))
    # Unlike content, it is not for other sites' pages.
    serialized.headers.pop("Access-Control-Allow-Origin")
    return response(serialized)


@status_routes.get("/status/runbooks/<name>")
def runbook(name: str) -> Response:
    """The runbook of an alert, as text; for those who may see the status page."""
    g.route = Route.RUNBOOK
    _viewer_session()
    page = runbooks().get(name)
    if page is None:
        raise NotFound
    return Response(page, mimetype="text/plain", headers=_PAGE_HEADERS)


@status_routes.post("/status/sign-in")
def sign_in() -> AnyResponse:
    """Check the token, begin a session and set its cookie."""
    g.route = Route.STATUS_ACTION
    admin = _admin()
    if not admin.is_enabled:
        raise Forbidden("Actions are off: ADMIN_TOKEN is not set.")
    if not admin.is_token(request.form.get("token", "")):
        return _sign_in_again(_wrong_token(), is_wrong=True)
    try:
        cookie = _sessions().begin()
    except (RedisError, TimeoutError) as error:
        raise _sessions_unavailable() from error
    response = _back()
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=LIFETIME_S,
        secure=origin().startswith("https:"),
        httponly=True,
        samesite="Strict",
    )
    return response


@status_routes.post("/status/sign-out")
def sign_out() -> AnyResponse:
    """End the session at every reader, and delete its cookie."""
    g.route = Route.STATUS_ACTION
    session = _operator_session()
    try:
        _sessions().end(session)
    except (RedisError, TimeoutError) as error:
        raise _sessions_unavailable() from error
    response = _back()
    response.delete_cookie(COOKIE)
    return response


@status_routes.post("/status/<action>")
def act(action: str) -> AnyResponse:
    """Perform an action for a client that has proved to hold `ADMIN_TOKEN`."""
    g.route = Route.STATUS_ACTION
    if action not in set(Action):
        raise NotFound
    session = _operator_session()
    name = request.form.get("resource", "")
    try:
        message = perform(
            Action(action), name, process=process(), now=process().clock(), request_id=g.request_id
        )
    except (RedisError, TimeoutError) as error:
        raise Unavailable("The cache's store cannot be reached.", retry_after=1) from error
    except ApiError as error:
        if _wants_json(session):
            raise
        return _back(session, message=error.message)
    if _wants_json(session):
        return response(json_response({"message": message}, status=202))
    return _back(session, message=message)


def _admin() -> Admin:
    found = current_app.extensions["admin"]
    assert isinstance(found, Admin)
    return found


def _bearer_token() -> str | None:
    return Admin.bearer(header("Authorization") or "")


def _session() -> Session | None:
    """The session of a request; None if the request carries no credentials.

    Raises:
        Unauthorized, TooMany: the token is wrong.
        Unavailable: it has a cookie, which cannot be checked.
    """
    token = _bearer_token()
    if token is not None:
        if _admin().is_token(token):
            return Session()
        raise _wrong_token()
    cookie = request.cookies.get(COOKIE, "")
    if not cookie or not _admin().is_enabled:
        return None
    try:
        return _sessions().find(cookie)
    except (RedisError, TimeoutError) as error:
        raise _sessions_unavailable() from error


def _viewer_session() -> Session | None:
    """The session of a client that reads the page; None if it needs none.

    On a public page a bearer token is not checked, as it changes nothing: so it is no guess.

    Raises:
        NotFound: the page is not public, and `ADMIN_TOKEN` is not set.
        Unauthorized, TooMany: the request does not prove who sent it.
        Unavailable: the session cannot be checked.
    """
    is_public = process().settings.status_public
    if is_public and _bearer_token() is not None:
        return None
    if not is_public and not _admin().is_enabled:
        raise NotFound
    try:
        session = _session()
    except Unavailable:
        if not is_public:
            raise
        return None
    if session is None and not is_public:
        raise Unauthorized(_PROOF, challenge="Bearer")
    return session


def _sessions() -> Sessions:
    """The sessions; fails at once while Redis is known to be away.

    Raises:
        Unavailable: Redis is unavailable.
    """
    parts = process().start()
    if parts.synchronizer.away_since is not None:
        raise _sessions_unavailable()
    sessions = _admin().sessions(parts.redis)
    assert sessions is not None
    return sessions


def _sessions_unavailable() -> Unavailable:
    message = "Sessions cannot be checked: the cache's store cannot be reached."
    return Unavailable(message, retry_after=1)


def _wrong_token() -> Unauthorized | TooMany:
    """Count a wrong token, delay the response if there were many, and return the error to raise."""
    parts = process().start()
    redis = parts.redis if parts.synchronizer.away_since is None else None
    recent = _admin().guesses.count(redis)
    throttled = throttling(recent)
    hold(
        request.environ.get("asgi.scope"), seconds=throttled.seconds, is_sent=throttled.is_answered
    )
    if throttled.is_answered or recent % _LOGGED_OF_MANY == 0:
        fields = {"client": client(), "lately": recent}
        log.warning("a wrong ADMIN_TOKEN was given", extra={"fields": fields})
    if not throttled.is_slow:
        return Unauthorized(_PROOF, challenge="Bearer")
    message = "Wrong admin token. Too many wrong ones were sent recently."
    return TooMany(message, retry_after=MINUTE_S)


def _operator_session() -> Session:
    """The session of an operator's POST.

    Raises:
        Forbidden: `ADMIN_TOKEN` is not set, or the POST did not come from our own page.
        Unauthorized, TooMany: the request does not prove who sent it.
        Unavailable: the session cannot be checked.
    """
    if not _admin().is_enabled:
        raise Forbidden("Actions are off: ADMIN_TOKEN is not set.")
    session = _session()
    if session is None:
        raise Unauthorized(_PROOF, challenge="Bearer")
    csrf, site = request.form.get("csrf", ""), header("Sec-Fetch-Site") or ""
    if not Admin.passes_csrf_check(session, csrf=csrf, fetch_site=site):
        raise Forbidden("This was not sent by the status page: load it again.")
    return session


def _page(session: Session | None) -> JsonObject:
    fleet, settings = process().fleet(), process().settings
    if fleet is not None and session is None:
        fleet = without_withdrawn(fleet, process().start().withdrawals.known)
    return page_of(
        PageInput(
            now=process().clock(),
            fleet=fleet,
            held=process().tracked(),
            away_since=process().start().synchronizer.away_since,
            reader=process().address,
            settings=settings,
            refusing=process().start().troubles.refusing,
            is_operator=session is not None,
        )
    )


def _html(template: str, *, status: int = 200, **known: object) -> Response:
    text = render_template(template, is_enabled=_admin().is_enabled, **known)
    return Response(text, status=status, mimetype="text/html", headers=_PAGE_HEADERS)


def _sign_in_again(error: ApiError, *, is_wrong: bool) -> Response:
    response = _html("sign_in.html", status=error.status, refused=is_wrong)
    response.headers.update({k: v for k, v in error.headers.items() if k == "Retry-After"})
    return response


def _back(session: Session | None = None, *, message: str | None = None) -> AnyResponse:
    """A redirect to the page (RFC 9110 section 15.4.4), which shows the message."""
    query = ""
    if session is not None and session.id is not None and message is not None:
        query = "?" + urlencode({"said": session.signed(message)})
    response = redirect(f"/status{query}", 303)
    response.headers["Cache-Control"] = "no-store"
    return response


def _wants_json(session: Session) -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json" or session == Session()

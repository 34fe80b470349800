"""The paths of the status page."""

import socket
import time
from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request
from redis import RedisError
from werkzeug.wrappers import Response as AnyResponse

from reader.errors import ApiError, Forbidden, NotFound, TooMany, Unauthorized, Unavailable
from reader.response.response import json_response
from reader.status.actions import Action, log, perform
from reader.status.admin import COOKIE, Admin
from reader.status.guesses import Guesses, slowing
from reader.status.page import page_of
from reader.status.page_input import PageInput, Shown
from reader.status.sessions import LIFETIME_S, Session, Sessions
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

# Nothing but our own files: no inline script or style, no other site's frame, form or image.
_PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_LOGGED_OF_MANY = 1000  # wrong tokens beyond those that are answered: one of so many is logged
_RETRY_AFTER = 60  # seconds, after which fewer wrong tokens count
_PROOF = "Give ADMIN_TOKEN: `Authorization: Bearer ...`, or sign in on /status."


def register(app: Flask) -> None:
    """Give an application the status page."""
    app.extensions["admin"] = Admin(app.extensions["process"].settings.admin_token, Guesses())
    app.register_blueprint(status_routes)


@status_routes.get("/status")
def status_page() -> Response:
    """The page for people."""
    try:
        session = _checker()
    except (Unauthorized, TooMany) as error:
        return _sign_in_again(error, is_wrong=_given_token() is not None)
    said = None if session is None else session.text(request.args.get("said", ""))
    return _html("status.html", page=_page(), session=session, said=said)


@status_routes.get("/status.json")
def status_json() -> Response:
    """The same for programs."""
    _checker()
    ready = json_response(_page())
    # Unlike content, it is not for other sites' pages.
    ready.headers.pop("Access-Control-Allow-Origin")
    return response(ready)


@status_routes.post("/status/sign-in")
def sign_in() -> AnyResponse:
    """Take the token, and give a cookie for it."""
    g.route = Route.STATUS_ACTION
    admin = _admin()
    if not admin.is_possible:
        raise Forbidden("Actions are off: ADMIN_TOKEN is not set.")
    if not admin.is_token(request.form.get("token", "")):
        return _sign_in_again(_wrong_token(), is_wrong=True)
    try:
        cookie = _sessions().begin()
    except (RedisError, TimeoutError) as error:
        raise _no_sessions() from error
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
    """End the session, at every reader, and take the cookie away."""
    g.route = Route.STATUS_ACTION
    session = _meant_session()
    try:
        _sessions().end(session)
    except (RedisError, TimeoutError) as error:
        raise _no_sessions() from error
    response = _back()
    response.delete_cookie(COOKIE)
    return response


@status_routes.post("/status/<action>")
def act(action: str) -> AnyResponse:
    """Do what somebody asks for who gave the token."""
    g.route = Route.STATUS_ACTION
    if action not in set(Action):
        raise NotFound
    session = _meant_session()
    name = request.form.get("resource", "")
    try:
        said = perform(Action(action), name, process=process(), request_id=g.request_id)
    except (RedisError, TimeoutError) as error:
        raise Unavailable("The cache's store cannot be reached.", retry_after=1) from error
    except ApiError as error:
        if _wants_json(session):
            raise
        return _back(session, said=error.message)
    if _wants_json(session):
        return response(json_response({"message": said}, status=202))
    return _back(session, said=said)


def _admin() -> Admin:
    found = current_app.extensions["admin"]
    assert isinstance(found, Admin)
    return found


def _given_token() -> str | None:
    return Admin.bearer(header("Authorization") or "")


def _session() -> Session | None:
    """The session of a request; None if it proves nothing.

    Raises:
        Unauthorized, TooMany: it gives a wrong token.
        Unavailable: it has a cookie, and whether that is good cannot be told.
    """
    token = _given_token()
    if token is not None:
        if _admin().is_token(token):
            return Session()
        raise _wrong_token()
    cookie = request.cookies.get(COOKIE, "")
    if not cookie or not _admin().is_possible:
        return None
    try:
        return _sessions().find(cookie)
    except (RedisError, TimeoutError) as error:
        raise _no_sessions() from error


def _checker() -> Session | None:
    """Who looks at the page; None for anybody, if everybody may.

    A token changes nothing of what everybody may see, and is not looked at then: so it is no guess.

    Raises:
        NotFound: nobody may look.
        Unauthorized, TooMany: the request does not prove who sent it.
        Unavailable: whether it does cannot be told.
    """
    is_public = process().settings.status_public
    if is_public and _given_token() is not None:
        return None
    if not is_public and not _admin().is_possible:
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
    """The sessions; without waiting for Redis once it is known to be away.

    Raises:
        Unavailable: it is away.
    """
    parts = process().start()
    if parts.synchronizer.away_since is not None:
        raise _no_sessions()
    sessions = _admin().sessions(parts.redis)
    assert sessions is not None
    return sessions


def _no_sessions() -> Unavailable:
    message = "Sessions cannot be checked: the cache's store cannot be reached."
    return Unavailable(message, retry_after=1)


def _wrong_token() -> Unauthorized | TooMany:
    """Count a wrong token, and have its answer held back if there were many."""
    parts = process().start()
    redis = parts.redis if parts.synchronizer.away_since is None else None
    lately = _admin().guesses.count(redis)
    slowed = slowing(lately)
    hold(request.environ.get("asgi.scope"), seconds=slowed.seconds, is_sent=slowed.is_answered)
    if slowed.is_answered or lately % _LOGGED_OF_MANY == 0:
        fields = {"client": client(), "lately": lately}
        log.warning("a wrong ADMIN_TOKEN was given", extra={"fields": fields})
    if not slowed.is_slow:
        return Unauthorized(_PROOF, challenge="Bearer")
    message = "Wrong admin token. Too many of them were given lately."
    return TooMany(message, retry_after=_RETRY_AFTER)


def _meant_session() -> Session:
    """The session of a post that was meant.

    Raises:
        Forbidden: nobody may act, or the post was not sent by our own page.
        Unauthorized, TooMany: it does not prove who sent it.
        Unavailable: whether it does cannot be told.
    """
    if not _admin().is_possible:
        raise Forbidden("Actions are off: ADMIN_TOKEN is not set.")
    session = _session()
    if session is None:
        raise Unauthorized(_PROOF, challenge="Bearer")
    csrf, site = request.form.get("csrf", ""), header("Sec-Fetch-Site") or ""
    if not Admin.is_meant(session, csrf=csrf, fetch_site=site):
        raise Forbidden("This was not sent by the status page: load it again.")
    return session


def _page() -> Shown:
    fleet, settings = process().fleet(), process().settings
    return page_of(
        PageInput(
            now=time.time(),
            fleet=fleet,
            held=process().tracked(),
            away_since=process().start().synchronizer.away_since,
            reader=f"{socket.gethostname()}:{settings.port}",
            settings=settings,
        )
    )


def _html(template: str, *, status: int = 200, **known: object) -> Response:
    text = render_template(template, is_possible=_admin().is_possible, **known)
    return Response(text, status=status, mimetype="text/html", headers=_PAGE_HEADERS)


def _sign_in_again(error: ApiError, *, is_wrong: bool) -> Response:
    response = _html("sign_in.html", status=error.status, refused=is_wrong)
    response.headers.update({k: v for k, v in error.headers.items() if k == "Retry-After"})
    return response


def _back(session: Session | None = None, *, said: str | None = None) -> AnyResponse:
    """To the page again (RFC 9110 section 15.4.4); what was done is said there."""
    query = ""
    if session is not None and session.id is not None and said is not None:
        query = "?" + urlencode({"said": session.signed(said)})
    response = redirect(f"/status{query}", 303)
    response.headers["Cache-Control"] = "no-store"
    return response


def _wants_json(session: Session) -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json" or session == Session()

"""The paths of the status page."""

import socket
import time
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request
from redis import RedisError
from werkzeug.wrappers import Response as AnyResponse

from reader.errors import ApiError, Forbidden, NotFound, Unauthorized, Unavailable
from reader.flask_request import client, header, node, origin, response
from reader.health import json_answer
from reader.status.actions import Action, log, perform
from reader.status.admin import COOKIE, LIFETIME_S, Admin, Session
from reader.status.moment import Moment, Shown
from reader.status.page import page_of
from reader.tallies import Route

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
_PROOF = "Give ADMIN_TOKEN: `Authorization: Bearer ...`, or sign in on /status."


def register(app: Flask) -> None:
    """Give an application the status page."""
    app.extensions["admin"] = Admin(app.extensions["node"].settings.admin_token)
    app.register_blueprint(status_routes)


@status_routes.get("/status")
def status_page() -> Response:
    """The page for people."""
    session = _session()
    if not _may_look(session):
        if not _admin().is_possible:
            raise NotFound
        return _html("sign_in.html", status=HTTPStatus.UNAUTHORIZED)
    said = _admin().text(request.args.get("said", ""))
    return _html("status.html", page=_page(), session=session, said=said)


@status_routes.get("/status.json")
def status_json() -> Response:
    """The same for programs."""
    if not _may_look(_session()):
        raise Unauthorized(_PROOF, challenge="Bearer") if _admin().is_possible else NotFound
    ready = json_answer(_page())
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
        log.warning("a sign-in was refused", extra={"fields": {"client": client()}})
        return _html("sign_in.html", status=HTTPStatus.UNAUTHORIZED, refused=True)
    answer = _back()
    answer.set_cookie(
        COOKIE,
        admin.new_cookie(),
        max_age=LIFETIME_S,
        secure=origin().startswith("https:"),
        httponly=True,
        samesite="Strict",
    )
    return answer


@status_routes.post("/status/sign-out")
def sign_out() -> AnyResponse:
    """Take the cookie away."""
    g.route = Route.STATUS_ACTION
    _meant_session()
    answer = _back()
    answer.delete_cookie(COOKIE)
    return answer


@status_routes.post("/status/<action>")
def act(action: str) -> AnyResponse:
    """Do what somebody asks for who gave the token."""
    g.route = Route.STATUS_ACTION
    if action not in set(Action):
        raise NotFound
    _meant_session()
    name = request.form.get("resource", "")
    try:
        said = perform(Action(action), name, node=node(), request_id=g.request_id)
    except (RedisError, TimeoutError) as error:
        raise Unavailable("The cache's store cannot be reached.", retry_after=1) from error
    except ApiError as error:
        if _wants_json():
            raise
        return _back(said=error.message)
    if _wants_json():
        return response(json_answer({"message": said}, status=202))
    return _back(said=said)


def _admin() -> Admin:
    found = current_app.extensions["admin"]
    assert isinstance(found, Admin)
    return found


def _session() -> Session | None:
    return _admin().session(
        authorization=header("Authorization") or "", cookie=request.cookies.get(COOKIE, "")
    )


def _may_look(session: Session | None) -> bool:
    return node().settings.status_public or session is not None


def _meant_session() -> Session:
    """The session of a post that was meant.

    Raises:
        Forbidden: nobody may act, or the post was not sent by our own page.
        Unauthorized: it does not prove who sent it.
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
    fleet, settings = node().fleet(), node().settings
    return page_of(
        Moment(
            now=time.time(),
            fleet=fleet,
            held=node().tracked(),
            away_since=node().start().caretaker.away_since,
            reader=f"{socket.gethostname()}:{settings.port}",
            settings=settings,
        )
    )


def _html(template: str, *, status: int = 200, **known: object) -> Response:
    text = render_template(template, is_possible=_admin().is_possible, **known)
    return Response(text, status=status, mimetype="text/html", headers=_PAGE_HEADERS)


def _back(*, said: str | None = None) -> AnyResponse:
    """To the page again (RFC 9110 section 15.4.4); what was done is said there."""
    query = "" if said is None else "?" + urlencode({"said": _admin().signed(said)})
    answer = redirect(f"/status{query}", 303)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _wants_json() -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json" or _session() == Session()

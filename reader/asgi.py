"""What gunicorn serves behind the front: `gunicorn reader.asgi:app`.

The Flask application in a pool of threads, and before it what must never wait for one of them.
"""

import re
import time
from collections.abc import Awaitable, Callable
from urllib.parse import unquote_to_bytes

from a2wsgi import WSGIMiddleware
from flask import Flask

from reader.app import create_app
from reader.bodies.body_reader import Bodies, Incoming, Message, Receive
from reader.bodies.wanted_bodies import WEBHOOK, wanted
from reader.errors import ApiError
from reader.front.rendered_responses import SERVER
from reader.process import ReaderProcess
from reader.response.error_response import refusal
from reader.response.health import healthcheck, livez
from reader.response.response import HttpResponse
from reader.telemetry.counters import RequestLabels, Route, served_by_status
from reader.telemetry.request_ids import HEADER
from reader.web.delayed_responses import DelayedResponses

Send = Callable[[Message], Awaitable[None]]

_AUTHORITY = re.compile(rb"https?://[^/]+", re.IGNORECASE)
# What says how long a body is; once it was read, or is not wanted, it says something else.
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Application:
    """The ASGI application of a reader process.

    Args:
        app: the Flask application, made by `create_app`.
    """

    def __init__(self, app: Flask) -> None:
        process = app.extensions["process"]
        assert isinstance(process, ReaderProcess)
        self.process = process
        self._bodies = Bodies()
        self._flask = WSGIMiddleware(
            app,  # type: ignore[arg-type]
            workers=process.settings.reader_threads,
        )
        self._held = DelayedResponses()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the beginning and the end of the process."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            incoming = Incoming(receive, scope["headers"])
            await self._serve(_in_origin_form(scope), incoming, _signed(send))
            await incoming.discard()
        else:
            await self._flask(scope, receive, send)  # type: ignore[arg-type]

    async def _serve(self, scope: Message, incoming: Incoming, send: Send) -> None:
        began = time.perf_counter()
        response = self._health(scope)
        if response is not None:
            await self._send(response, scope, send, route=Route(scope["path"]), began=began)
            return
        try:
            body = await self._body(scope, incoming)
        except ApiError as error:
            route = Route.WEBHOOK if scope["path"] == WEBHOOK else Route.STATUS_ACTION
            await self._send(refusal(error), scope, send, route=route, began=began)
            return
        scope = _with_body(scope, body)
        send = self._held.holding(scope, send)  # the very scope that Flask gets
        await self._flask(scope, _whole(body), send)  # type: ignore[arg-type]

    async def _body(self, scope: Message, incoming: Incoming) -> bytes:
        """The body of a request; empty where none is wanted."""
        if scope["method"] != "POST":
            return b""
        asked = wanted(scope["path"], lambda name: _header(scope, name), self.process.settings)
        if asked is None:
            return b""
        limit, signature = asked
        feed = _ignore if signature is None else signature.feed
        body = await self._bodies.read(incoming, limit=limit, feed=feed)
        if signature is not None:
            signature.check()
        return body

    async def _send(
        self, response: HttpResponse, scope: Message, send: Send, *, route: Route, began: float
    ) -> None:
        """Send an answer of ours, and have it counted."""
        method, target = scope["method"], scope["path"]
        request_id = self.process.reporter.request_ids.of(_header(scope, HEADER).encode("latin-1"))
        response.headers[HEADER] = request_id
        await _send_answer(response, send, is_head=method == "HEAD")
        self.process.reporter.answered(
            RequestLabels(route, served_by_status(response.status), response.status),
            method=method,
            target=target,
            seconds=time.perf_counter() - began,
            request_id=request_id,
            client=str((scope.get("client") or ("",))[0]),
        )

    def _health(self, scope: Message) -> HttpResponse | None:
        if scope["method"] not in {"GET", "HEAD"}:
            return None
        if scope["path"] == "/livez":
            return livez()
        if scope["path"] == "/healthcheck":
            return healthcheck(self.process.missing())
        return None

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.process.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.process.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _in_origin_form(scope: Message) -> Message:
    """`http://host/path` is `/path` here: every server has to take it (RFC 9112 section 3.2.2)."""
    named = _AUTHORITY.match(scope["raw_path"])
    if named is None:
        return scope
    path = scope["raw_path"][named.end() :] or b"/"
    decoded = unquote_to_bytes(path).decode(errors="replace")
    return {**scope, "raw_path": path, "path": decoded}


async def _send_answer(response: HttpResponse, send: Send, *, is_head: bool) -> None:
    headers = [(name.encode(), value.encode()) for name, value in response.headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else response.body})


def _header(scope: Message, name: str) -> str:
    """The value of a header field as WSGI has it; empty where it is absent."""
    wire = name.lower().encode()
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == wire)


def _with_body(scope: Message, body: bytes) -> Message:
    """A request with a body that is known, which may be none."""
    headers = [(name, value) for name, value in scope["headers"] if name not in _FRAMING]
    if body:
        headers.append((b"content-length", str(len(body)).encode()))
    return {**scope, "headers": headers}


def _whole(body: bytes) -> Receive:
    """What receives a body that is known."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _ignore(piece: bytes) -> None:
    """Nothing is worked out of it."""


def _signed(send: Send) -> Send:
    """Name the server as the front does."""

    async def send_signed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"server", SERVER.encode())]
        await send(message)

    return send_signed


app = Application(create_app())

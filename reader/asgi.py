"""The ASGI application behind the front: `gunicorn reader.asgi:app`.

It runs the Flask application in a pool of threads, and itself does what must never wait for one of
them: health checks, reading bodies, and the change feed.
"""

import asyncio
import re
from urllib.parse import unquote_to_bytes

from flask import Flask
from werkzeug.http import http_date

from reader.app import create_app
from reader.bodies.body_reader import Bodies, Incoming
from reader.bodies.wanted_bodies import WEBHOOK, wanted
from reader.changes.following import CHANGES, Following, following
from reader.changes.serving import STREAM_HEADERS, Followers, SlowFollowerError
from reader.errors import ApiError
from reader.process import ReaderProcess
from reader.response.client_url import is_host
from reader.response.health import HEALTHCHECK, health
from reader.response.mount import split_mount
from reader.response.respond import refuse
from reader.response.response import CACHE_NAME, HttpResponse
from reader.telemetry.counters import RequestLabels, Route
from reader.telemetry.request_ids import GITHUB_HEADER, HEADER
from reader.telemetry.request_telemetry import OpenRequest
from reader.temporary_files import Use
from reader.web.asgi_types import Message, Receive, Send
from reader.web.client_address import client_address
from reader.web.delayed_responses import DelayedResponses
from reader.web.wsgi_threads import WsgiThreads

_AUTHORITY = re.compile(rb"https?://(?:[^/@]*@)?([^/]+)", re.IGNORECASE)
_LOADING = 1.5  # seconds that a health check waits; HAProxy and Kubernetes wait two
# Fields that tell the length of a body; replaced after it was read, or if it is not wanted.
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
        self._bodies = Bodies(self._note_spooled)
        self._flask = WsgiThreads(app, threads=process.settings.reader_threads)
        self._delayed = DelayedResponses()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the start and the end of the process."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            incoming = Incoming(receive, scope["headers"])
            scope, send = _in_origin_form(scope), self._signed(send)
            is_read = scope["method"] in {"GET", "HEAD"} and _has_host(scope)
            if is_read and _path(scope) == CHANGES:
                await self._follow(scope, send)
            else:
                await self._serve(scope, incoming, send)
            await incoming.discard()
        else:  # a WebSocket
            await send({"type": "websocket.close", "code": 1000})

    def _note_spooled(self, error: OSError | None) -> None:
        files = self.process.start().files
        if error is None:
            files.worked(Use.BODIES)
        else:
            files.failed(Use.BODIES, error)

    async def _serve(self, scope: Message, incoming: Incoming, send: Send) -> None:
        began = self.process.start().telemetry.stopwatch()
        response, route, body = await self._respond(scope, incoming)
        if response is None:
            scope = _with_body(scope, body)
            send = self._delayed.holding(scope, send)  # the very scope that Flask gets
            await self._flask.serve(scope, body, send, left=incoming.left)
            return
        await self._end(self._begin(scope, began), scope, send, response, route)

    def _begin(self, scope: Message, began: float) -> OpenRequest:
        return self.process.start().telemetry.begin(
            method=scope["method"],
            target=scope["path"],
            client=_peer(scope),
            sent_id=_header(scope, HEADER).encode("latin-1"),
            began=began,
        )

    async def _end(
        self, request: OpenRequest, scope: Message, send: Send, response: HttpResponse, route: Route
    ) -> None:
        response.headers[HEADER] = response.headers[GITHUB_HEADER] = request.id
        await _send(response, send, is_head=scope["method"] == "HEAD")
        telemetry = self.process.start().telemetry
        telemetry.end(request, RequestLabels.without_content(route, response.status))

    async def _follow(self, scope: Message, send: Send) -> None:
        """Respond to a follower of the change feed."""
        components = self.process.start()
        request = self._begin(scope, components.telemetry.stopwatch())
        try:
            asked = following(
                self.process.catalogue,
                scope["query_string"].decode("latin-1"),
                accept=_header(scope, "Accept"),
                last_event_id=_header(scope, "Last-Event-ID"),
            )
            trusted = self.process.settings.trusted_networks
            forwarded = _header(scope, "X-Forwarded-For")
            client = client_address(_peer(scope), forwarded, trusted=trusted)
            with components.places.take(client):
                followers = Followers(components.changes)
                if asked.is_stream and scope["method"] == "GET":
                    await self._stream(followers, asked, request, send)
                    return
                response = await (followers.head() if asked.is_stream else followers.answer(asked))
        except ApiError as error:
            response = refuse(error)
        # The wait was the client's wish; it says nothing of how quick the process is.
        request = request._replace(began=components.telemetry.stopwatch())
        await self._end(request, scope, send, response, Route.CHANGES)

    async def _stream(
        self, followers: Followers, asked: Following, request: OpenRequest, send: Send
    ) -> None:
        newest = await followers.feed.begin()
        headers = {**STREAM_HEADERS, HEADER: request.id, GITHUB_HEADER: request.id}
        await _send_start(HttpResponse(200, headers), send)
        telemetry = self.process.start().telemetry
        telemetry.end(request, RequestLabels.without_content(Route.CHANGES, 200))
        try:
            await followers.stream(asked, newest, send)
        except (ApiError, SlowFollowerError):
            raise asyncio.CancelledError from None  # gunicorn then closes the connection
        await send({"type": "http.response.body", "body": b""})

    def end_followers(self) -> None:
        """Have all followers of the change feed connect to another process: this one ends."""
        self.process.start().changes.end()

    async def _respond(
        self, scope: Message, incoming: Incoming
    ) -> tuple[HttpResponse | None, Route, bytes]:
        """The response and its route; None, and the body of the request, if Flask has to serve."""
        if _path(scope) == HEALTHCHECK:
            await self._await_loading()
        response = self._health(scope)
        if response is not None:
            return response, Route(_path(scope)), b""
        try:
            return None, Route.OTHER, await self._body(scope, incoming)
        except ApiError as error:
            route = Route.WEBHOOK if _path(scope) == WEBHOOK else Route.STATUS_ACTION
            return refuse(error), route, b""

    async def _await_loading(self) -> None:
        """Wait for a process that has just begun: a reload is no reason to take the node away."""
        synchronizer, loop = self.process.start().synchronizer, asyncio.get_running_loop()
        ends = loop.time() + _LOADING
        while synchronizer.is_loading and loop.time() < ends:
            await asyncio.sleep(0.02)

    def _health(self, scope: Message) -> HttpResponse | None:
        if scope["method"] not in {"GET", "HEAD"}:
            return None
        local, tracked = self.process.start().local, self.process.catalogue.tracked
        return health(_path(scope), lambda: local.missing(tracked))

    async def _body(self, scope: Message, incoming: Incoming) -> bytes:
        """The body of a request; empty if none is wanted."""
        if scope["method"] != "POST":
            return b""
        asked = wanted(_path(scope), lambda name: _header(scope, name), self.process.settings)
        if asked is None:
            return b""
        limit, signature = asked
        if signature is None:
            return await self._bodies.read(incoming, limit=limit, feed=_ignore)
        return await self._bodies.read(
            incoming, limit=limit, feed=signature.feed, check=signature.check
        )

    def _signed(self, send: Send) -> Send:
        """A `send` that names the server and the time, as the front does.

        Without it gunicorn would send the time of this machine's clock, which `Age` and
        `Last-Modified` would contradict if it is wrong.
        """

        async def send_signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = http_date(self.process.clock()).encode()
                own = [(b"server", CACHE_NAME.encode()), (b"date", date)]
                given = [field for field in message["headers"] if field[0].lower() != b"date"]
                message["headers"] = [*given, *own]  # Flask dates its files
            await send(message)

        return send_signed

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.process.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.process.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _in_origin_form(scope: Message) -> Message:
    """Take `http://host/path` for `/path` of that host: every server has to, whatever `Host` says.

    RFC 9112 section 3.2.2. A wrong `Host` stays, and is refused.
    """
    named = _AUTHORITY.match(scope["raw_path"])
    if named is None:
        return scope
    path = scope["raw_path"][named.end() :] or b"/"
    decoded = unquote_to_bytes(path).decode(errors="replace")
    headers = scope["headers"]
    if _has_host(scope):
        headers = [(name, named[1] if name == b"host" else value) for name, value in headers]
    return {**scope, "raw_path": path, "path": decoded, "headers": headers}


def _path(scope: Message) -> str:
    """The decoded path of a request, below the mount if there is one."""
    mount, _ = split_mount(scope["raw_path"].decode("latin-1"))
    path: str = scope["path"]
    return path[len(mount) :] or "/"


def _has_host(scope: Message) -> bool:
    """Whether the request says where it was sent, as it has to; else Flask refuses it."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    return all(map(is_host, hosts)) if hosts else scope["http_version"] == "1.0"


def _peer(scope: Message) -> str:
    """The IP address at the other end of the connection; empty if the socket has no address."""
    return str((scope.get("client") or ("",))[0])


async def _send_start(response: HttpResponse, send: Send) -> None:
    headers = [(name.encode(), value.encode()) for name, value in response.headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})


async def _send(response: HttpResponse, send: Send, *, is_head: bool) -> None:
    await _send_start(response, send)
    await send({"type": "http.response.body", "body": b"" if is_head else response.body})


def _header(scope: Message, name: str) -> str:
    """The value of a header field as WSGI has it; empty if absent."""
    wire = name.lower().encode()
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == wire)


def _with_body(scope: Message, body: bytes) -> Message:
    """The scope of a request with a body that is known; it may be empty."""
    headers = [(name, value) for name, value in scope["headers"] if name not in _FRAMING]
    if body:
        headers.append((b"content-length", str(len(body)).encode()))
    return {**scope, "headers": headers}


def _ignore(piece: bytes) -> None:
    """Do nothing with a piece of a body."""


app = Application(create_app())

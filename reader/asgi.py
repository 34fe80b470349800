"""What gunicorn serves behind the front: `gunicorn reader.asgi:app`.

The Flask application in a pool of threads, and before it what must never wait for one of them.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

from a2wsgi import WSGIMiddleware
from flask import Flask

from reader.answer import Answer
from reader.app import create_app
from reader.front.answers import SERVER
from reader.health import healthcheck, livez
from reader.held_answers import HeldAnswers
from reader.node import Node
from reader.request_ids import HEADER
from reader.tallies import Kind, Route, served_by_status

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_BODY_TIMEOUT = 10.0  # seconds of silence in the middle of a request's body
_AUTHORITY = re.compile(rb"https?://[^/]+", re.IGNORECASE)
_GONE: Message = {"type": "http.disconnect"}


class Application:
    """The ASGI application of a reader process.

    Args:
        app: the Flask application, made by `create_app`.
    """

    def __init__(self, app: Flask) -> None:
        node = app.extensions["node"]
        assert isinstance(node, Node)
        self.node = node
        self._flask = WSGIMiddleware(
            app,  # type: ignore[arg-type]
            workers=node.settings.reader_threads,
        )
        self._held = HeldAnswers()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the beginning and the end of the process."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        scope = _in_origin_form(scope)
        began = time.perf_counter()
        answer = self._health(scope)
        if answer is not None:
            request_id = self._request_id(scope)
            answer.headers[HEADER] = request_id
            await _send_answer(answer, _signed(send), is_head=scope["method"] == "HEAD")
            self.node.observer.answered(
                Kind(Route(scope["path"]), served_by_status(answer.status), answer.status),
                method=scope["method"],
                target=scope["path"],
                seconds=time.perf_counter() - began,
                request_id=request_id,
                client=str((scope.get("client") or ("",))[0]),
            )
            return
        send = self._held.holding(scope, _signed(send))
        await self._flask(scope, _in_time(receive), send)  # type: ignore[arg-type]

    def _health(self, scope: Message) -> Answer | None:
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return None
        if scope["path"] == "/livez":
            return livez()
        if scope["path"] == "/healthcheck":
            return healthcheck(self.node.missing())
        return None

    def _request_id(self, scope: Message) -> str:
        sent = (value for name, value in scope["headers"] if name == b"x-request-id")
        return self.node.observer.request_ids.of(next(sent, b""))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.node.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.node.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _in_origin_form(scope: Message) -> Message:
    """`http://host/path` is `/path` here: every server has to take it (RFC 9112 section 3.2.2)."""
    named = _AUTHORITY.match(scope["raw_path"])
    if named is None:
        return scope
    path = scope["raw_path"][named.end() :] or b"/"
    decoded = unquote_to_bytes(path).decode(errors="replace")
    return {**scope, "raw_path": path, "path": decoded}


async def _send_answer(answer: Answer, send: Send, *, is_head: bool) -> None:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else answer.body})


def _in_time(receive: Receive) -> Receive:
    """Count a client that falls silent in the middle of its request as gone."""

    async def receive_in_time() -> Message:
        try:
            return await asyncio.wait_for(receive(), _BODY_TIMEOUT)
        except TimeoutError:
            return _GONE

    return receive_in_time


def _signed(send: Send) -> Send:
    """Name the server as the front does."""

    async def send_signed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"server", SERVER.encode())]
        await send(message)

    return send_signed


app = Application(create_app())

"""Runs the Flask application in threads, for the event loop that sends its responses.

a2wsgi's middleware hands each part of a response from the thread to the loop and waits for it: six
switches between threads for each response. Our responses are complete when Flask returns, so one is
enough. Only bodies that are made while they are sent come in pieces: one thread makes the pieces of
all of them, each when the client has taken the one before.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from io import BytesIO
from typing import TYPE_CHECKING, Any

from a2wsgi.wsgi import build_environ

from reader.web.asgi_types import STREAM, Message, Send
from shared.buffers import Buffers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_Leaving = Callable[[], Coroutine[Any, Any, None]]


class WsgiThreads:
    """A WSGI application in a pool of threads.

    Args:
        app: the application; its responses are not streams.
        threads: number of requests that it serves at the same time.
    """

    def __init__(self, app: "WSGIApplication", *, threads: int) -> None:
        self._app = app
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="WSGI")
        self._streams = ThreadPoolExecutor(1, thread_name_prefix="stream")

    async def serve(
        self,
        scope: Message,
        body: bytes,
        send: Send,
        *,
        left: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Serve one request; an error of the application is raised.

        Args:
            scope: of the request, by the ASGI specification.
            body: of the request.
            send: sends the response.
            left: waits until the client has left: then no further piece is made.
        """
        environ: WSGIEnvironment = build_environ(scope, BytesIO(body))  # type: ignore[arg-type,assignment]
        context, loop = copy_context(), asyncio.get_running_loop()
        start, content = await loop.run_in_executor(
            self.executor, lambda: context.run(self._respond, environ)
        )
        await send(start)
        pieces = scope.pop(STREAM, None)
        if isinstance(pieces, Buffers):  # nothing is to be made
            for piece in pieces:
                await send(_part(piece))
        elif pieces is not None:
            await self._stream(iter(pieces), send, loop.create_task(left()))
        await send({"type": "http.response.body", "body": content})

    async def _stream(
        self, pieces: Iterator[bytes], send: Send, left: "asyncio.Task[None]"
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            while not left.done() and (
                piece := await loop.run_in_executor(self._streams, next, pieces, b"")
            ):
                await send(_part(piece))
        finally:
            left.cancel()

    def _respond(self, environ: "WSGIEnvironment") -> tuple[Message, bytes]:
        started: list[Message] = []

        def start_response(
            status: str,
            headers: Sequence[tuple[str, str]],
            exc_info: Any = None,  # noqa: ARG001 - nothing has been sent yet
            /,
        ) -> Callable[[bytes], object]:
            fields = [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
            ]
            started[:] = [
                {"type": "http.response.start", "status": int(status[:3]), "headers": fields}
            ]
            # The legacy `write` of PEP 3333, which Flask never calls.
            return lambda _: None

        parts: Iterable[bytes] = self._app(environ, start_response)
        if hasattr(parts, "close"):
            with closing(parts):  # type: ignore[type-var]
                body = b"".join(parts)
        else:
            body = b"".join(parts)
        return started[0], body


def _part(piece: bytes) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": True}

"""Answers that are held back for a while, in the event loop: no thread waits with them.

A handler says so in its request's ASGI scope. A server for WSGI has no such scope: there the answer
goes at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

# Of a process, of those that are never sent; each holds one of its connections.
MOST_DELAYED = 256
_SCOPE_KEY = "api-read-cache.held"


def hold(scope: Message | None, *, seconds: float, is_sent: bool) -> None:
    """Have the answer to a request held back.

    Args:
        scope: of the request; None if the server has none.
        seconds: how long.
        is_sent: False to close the connection then, without an answer.
    """
    if scope is not None:
        scope[_SCOPE_KEY] = (seconds, is_sent)


class DelayedResponses:
    """The answers of one process that are held back."""

    def __init__(self) -> None:
        self._unsent = 0

    def holding(self, scope: Message, send: Send) -> Send:
        """What sends a request's answer, and waits before it if a handler says so."""

        async def send_later(message: Message) -> None:
            if message["type"] == "http.response.start" and _SCOPE_KEY in scope:
                seconds, is_sent = scope[_SCOPE_KEY]
                await (asyncio.sleep(seconds) if is_sent else self._drop(seconds))
            await send(message)

        return send_later

    async def _drop(self, seconds: float) -> None:
        """Close the connection after some seconds; at once if too many wait for that.

        Raises:
            asyncio.CancelledError: always; gunicorn then closes it without a word.
        """
        if self._unsent < MOST_DELAYED:
            self._unsent += 1
            try:
                await asyncio.sleep(seconds)
            finally:
                self._unsent -= 1
        raise asyncio.CancelledError

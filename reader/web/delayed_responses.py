"""Responses that are held back for a while in the event loop, so that no thread waits.

A handler asks for it in the ASGI scope of its request. A WSGI server has no such scope: there the
response is sent at once.
"""

import asyncio

from reader.web.asgi_types import Message, Send

# Responses of a process that are never sent; each keeps one of its connections open.
MOST_DELAYED = 256
_SCOPE_KEY = "api-read-cache.held"


def hold(scope: Message | None, *, seconds: float, is_sent: bool) -> None:
    """Have the response to a request held back.

    Args:
        scope: of the request; None for a WSGI server.
        seconds: of the delay.
        is_sent: False to close the connection then, without a response.
    """
    if scope is not None:
        scope[_SCOPE_KEY] = (seconds, is_sent)


class DelayedResponses:
    """The responses of one process that are held back."""

    def __init__(self) -> None:
        self._unsent = 0

    def holding(self, scope: Message, send: Send) -> Send:
        """A `send` that waits before the response to a request if its handler asked for that."""

        async def send_later(message: Message) -> None:
            if message["type"] == "http.response.start" and _SCOPE_KEY in scope:
                seconds, is_sent = scope[_SCOPE_KEY]
                await (asyncio.sleep(seconds) if is_sent else self._drop(seconds))
            await send(message)

        return send_later

    async def _drop(self, seconds: float) -> None:
        """Close the connection after some seconds; at once if too many others wait for that.

        Raises:
            asyncio.CancelledError: always; gunicorn then closes it without a response.
        """
        if self._unsent < MOST_DELAYED:
            self._unsent += 1
            try:
                await asyncio.sleep(seconds)
            finally:
                self._unsent -= 1
        raise asyncio.CancelledError

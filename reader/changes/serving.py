"""Responds to the followers of the change feed, in the event loop.

A follower is a coroutine with a position: it has no thread, no connection to Redis and no buffer
besides the socket's. One that does not take what it is sent is dropped.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from reader.changes.event import sent
from reader.changes.feed import ChangeFeed, Told
from reader.changes.following import EVENT_STREAM, Following
from reader.response.response import CORS_HEADERS, HttpResponse, json_response
from shared.changes import EventId

HEARTBEAT = 15.0  # seconds of silence at most; proxies often end a connection after 30 or 60
SLOWEST = 5.0  # seconds in which a follower has to take what it is sent
_RETRY = 2000  # milliseconds after which a browser connects again
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep events back
    **CORS_HEADERS,
}
STREAM_HEADERS = {"Content-Type": EVENT_STREAM, **_HEADERS}
# As ASGI has it; `reader.web` has the name, and depends on the process, which holds the feed.
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class SlowFollowerError(Exception):
    """A follower does not take what it is sent."""


class Followers:
    """Serves followers.

    Args:
        feed: of the process.
    """

    def __init__(self, feed: ChangeFeed) -> None:
        self.feed = feed

    async def answer(self, following: Following) -> HttpResponse:
        """The changes as JSON, after a wait for the first one if the follower asks for that.

        Raises:
            Unavailable: the stream cannot be read.
        """
        newest = await self.feed.begin()
        position = following.since if following.since is not None else newest
        loop = asyncio.get_running_loop()
        deadline, is_first, epoch = loop.time() + following.wait, True, self.feed.epoch
        while True:
            told = await self.feed.told(following, position, is_first=is_first)
            is_done = told.events or told.is_behind or self._is_over(epoch)
            if is_done or (
                told.position == position and not await self.feed.wait(deadline - loop.time())
            ):
                break
            position, is_first = told.position, False
        changes = [one.document for one in told.events]
        document = {"changes": changes, "last_id": str(told.position), "read_anew": told.is_behind}
        return json_response(document, headers=_HEADERS)

    async def head(self) -> HttpResponse:
        """The header of a stream, for HEAD.

        Raises:
            Unavailable: the stream cannot be read.
        """
        await self.feed.begin()
        return HttpResponse(200, dict(STREAM_HEADERS))

    def _is_over(self, epoch: int) -> bool:
        """Whether a follower of that epoch has to connect again."""
        return self.feed.is_ending or self.feed.epoch != epoch

    async def stream(self, following: Following, newest: EventId, send: Send) -> None:
        """Send events until the process ends, events were lost, or the follower is too slow.

        Raises:
            SlowFollowerError: it does not take them.
            Unavailable: the stream cannot be read.
        """
        position, is_first, epoch = newest, following.since is not None, self.feed.epoch
        if following.since is not None:
            position = following.since
        else:
            await _send(send, f"retry: {_RETRY}\nid: {position}\n\n".encode())
        loop = asyncio.get_running_loop()
        quiet_since = loop.time()
        while not self._is_over(epoch):
            told = await self.feed.told(following, position, is_first=is_first)
            text = _text(told)
            if is_first:
                text = f"retry: {_RETRY}\n\n".encode() + text
            is_new, position, is_first = told.position != position, told.position, False
            if text:
                await _send(send, text)
                quiet_since = loop.time()
            elif not is_new and not await self.feed.wait(quiet_since + HEARTBEAT - loop.time()):
                # Also says how far the follower is, so that it never falls behind for silence.
                await _send(send, f"id: {position}\n\n".encode())
                quiet_since = loop.time()
        await _send(send, f"retry: {self._retry()}\n\n".encode())

    def _retry(self) -> int:
        """Milliseconds after which a follower connects again; they do not all come at once."""
        return 200 + next(self.feed.numbers) * 97 % _RETRY


def _text(told: Told) -> bytes:
    if told.is_behind:
        return sent(told.position, "reset", {"id": str(told.position), "read_anew": True})
    return b"".join(one.lines for one in told.events)


async def _send(send: Send, text: bytes) -> None:
    try:
        async with asyncio.timeout(SLOWEST):
            await send({"type": "http.response.body", "body": text, "more_body": True})
    except TimeoutError:
        raise SlowFollowerError from None

"""The types of an ASGI application (https://asgi.readthedocs.io/en/latest/specs/main.html)."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
# Key of a request's scope: the pieces of the response's body, if they are made while it is sent.
STREAM = "api-read-cache.stream"
Send = Callable[[Message], Awaitable[None]]

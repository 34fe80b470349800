"""pottery's Redlock, imported without pottery's side effect, and without threads for one master.

On import, pottery makes a default client from `REDIS_URL`. We always pass our own clients. For a
Sentinel URL, which redis-py does not know, that default client would raise an error.

pottery asks each master in a new thread. With a single master the thread serves nothing, and costs
more than the request.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


@contextmanager
def _without_redis_url() -> Iterator[None]:
    url = os.environ.pop("REDIS_URL", None)
    try:
        yield
    finally:
        if url is not None:
            os.environ["REDIS_URL"] = url


with _without_redis_url():
    from pottery import Redlock, redlock
    from pottery.exceptions import PrimitiveError, QuorumIsImpossible
    from pottery.executor import BailOutExecutor

_is_inline: ContextVar[bool] = ContextVar("is_inline", default=False)


class _Executor(BailOutExecutor):
    """pottery's executor, except that it calls functions at once inside `inline`."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **known: Any) -> Future[Any]:
        if not _is_inline.get():
            return super().submit(function, *arguments, **known)
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **known))
        except Exception as error:  # raised again where the result is read
            future.set_exception(error)
        return future


redlock.BailOutExecutor = _Executor  # type: ignore[attr-defined]


@contextmanager
def inline(*, masters: int) -> Iterator[None]:
    """Let pottery ask a single master in this thread inside the block.

    Args:
        masters: number of the lock's masters.
    """
    token = _is_inline.set(masters == 1)
    try:
        yield
    finally:
        _is_inline.reset(token)


__all__ = ["PrimitiveError", "QuorumIsImpossible", "Redlock", "inline"]

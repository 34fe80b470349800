"""pottery's Redlock, imported without pottery's side effect.

On import, pottery makes a default client from `REDIS_URL`. We always pass our own clients. For a
Sentinel URL, which redis-py does not know, that default client would raise an error.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _without_redis_url() -> Iterator[None]:
    url = os.environ.pop("REDIS_URL", None)
    try:
        yield
    finally:
        if url is not None:
            os.environ["REDIS_URL"] = url


with _without_redis_url():
    from pottery import Redlock
    from pottery.exceptions import PrimitiveError, QuorumIsImpossible

__all__ = ["PrimitiveError", "QuorumIsImpossible", "Redlock"]

"""pottery's Redlock, imported without what pottery does when it is imported.

It makes a client of `REDIS_URL` for callers that name none, which we never are, and raises where
the URL is of a kind that redis-py does not know: that of sentinels.
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

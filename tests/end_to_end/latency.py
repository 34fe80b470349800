"""Latency of requests that follow each other on one connection."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.http_client import Connection

_FEWEST = 100  # requests; fewer have no p99
_PATIENCE = 30.0  # seconds beyond those asked for, which a busy machine may need


@dataclass(frozen=True)
class Latency:
    """Times in milliseconds of some requests, each with status 200, and the ETags they got."""

    median: float
    p99: float
    worst: float
    requests: int
    tags: frozenset[str]


def measure(
    url: str,
    target: str,
    *,
    seconds: float = 1.5,
    pause: float = 0.001,
    until: Callable[[frozenset[str]], bool] = lambda _: True,
    **fields: str,
) -> Latency:
    """Send one request after the other, at least a hundred.

    Args:
        url: of the reader.
        target: path and query.
        seconds: duration, at least.
        pause: seconds between a response and the next request, to keep the load light.
        until: whether enough has happened meanwhile; gets the ETags that came so far.
        fields: header fields of the requests.

    Raises:
        AssertionError: a response is no 200, or too little has happened in the time.
    """
    took: list[float] = []
    tags: set[str] = set()
    end = time.monotonic() + seconds
    with Connection(url) as connection:
        while time.monotonic() < end or len(took) < _FEWEST or not until(frozenset(tags)):
            assert time.monotonic() < end + _PATIENCE, (took, tags)
            began = time.perf_counter()
            response = connection.ask(target, **fields)
            took.append(1000 * (time.perf_counter() - began))
            assert response.status == 200, response
            tags.add(response.headers["etag"])
            time.sleep(pause)
    took.sort()
    return Latency(
        median=took[len(took) // 2],
        p99=took[int(len(took) * 0.99)],
        worst=took[-1],
        requests=len(took),
        tags=frozenset(tags),
    )

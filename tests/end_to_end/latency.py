"""Latency of requests that follow each other on one connection."""

import time
from dataclasses import dataclass

from tests.http_client import Connection

_FEWEST = 100  # requests; fewer have no p99
_PATIENCE = 10.0  # seconds beyond those asked for, in which a busy machine must send `_FEWEST`


@dataclass(frozen=True)
class Latency:
    """Times in milliseconds of some requests, each with status 200, and the ETags they got."""

    median: float
    p99: float
    worst: float
    requests: int
    tags: frozenset[str]


def measure(
    url: str, target: str, *, seconds: float = 1.5, pause: float = 0.001, **fields: str
) -> Latency:
    """Send one request after the other.

    Args:
        url: of the reader.
        target: path and query.
        seconds: duration, at least.
        pause: seconds between a response and the next request, to keep the load light.
        fields: header fields of the requests.
    """
    took: list[float] = []
    tags: set[str] = set()
    until = time.monotonic() + seconds
    with Connection(url) as connection:
        while time.monotonic() < until or len(took) < _FEWEST:
            assert time.monotonic() < until + _PATIENCE, took
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

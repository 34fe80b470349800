"""How long requests take, one after the other on one connection."""

import time
from dataclasses import dataclass

from tests.end_to_end.raw_http import Connection

_FEWEST = 100  # requests, to say anything of the slowest of them
_PATIENCE = 10.0  # seconds beyond those asked for, where a busy machine does not get to so many


@dataclass(frozen=True)
class Quickness:
    """What some requests took, in milliseconds, each answered with 200."""

    median: float
    p99: float
    worst: float
    requests: int
    tags: frozenset[str]


def measure(
    url: str, target: str, *, seconds: float = 1.5, pause: float = 0.001, **fields: str
) -> Quickness:
    """Ask again and again.

    Args:
        url: of the reader.
        target: path and query.
        seconds: how long, at the least.
        pause: seconds between an answer and the next request; so the load is a light one.
        fields: of the requests.
    """
    took: list[float] = []
    tags: set[str] = set()
    until = time.monotonic() + seconds
    with Connection(url) as connection:
        while time.monotonic() < until or len(took) < _FEWEST:
            assert time.monotonic() < until + _PATIENCE, took
            began = time.perf_counter()
            answer = connection.ask(target, **fields)
            took.append(1000 * (time.perf_counter() - began))
            assert answer.status == 200, answer
            tags.add(answer.headers["etag"])
            time.sleep(pause)
    took.sort()
    return Quickness(
        median=took[len(took) // 2],
        p99=took[int(len(took) * 0.99)],
        worst=took[-1],
        requests=len(took),
        tags=frozenset(tags),
    )

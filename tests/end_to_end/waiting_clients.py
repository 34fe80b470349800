"""Clients that wait for what is not held, each at an address of its own."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from tests.http_client import Connection, Response, request

_SERVED = frozenset({200, 404})


class WaitingClients:
    """What becomes of the clients' requests; one client for each path.

    Args:
        futures: by path, the responses up to the one that is served.
    """

    def __init__(self, futures: dict[str, Future[list[Response]]]) -> None:
        self._futures = futures

    def responses(self, within: float = 60.0) -> dict[str, list[Response]]:
        """All responses, once every client is served.

        Raises:
            TimeoutError: one is not served in so many seconds.
        """
        deadline = time.monotonic() + within
        return {
            path: future.result(max(0.0, deadline - time.monotonic()))
            for path, future in self._futures.items()
        }


@contextmanager
def waiting_clients(urls: Sequence[str], paths: Sequence[str]) -> Iterator[WaitingClients]:
    """Clients that request a path until they are served.

    A refusal must say when to try again; the client tries again then, or after a second.

    Args:
        urls: of the readers, which the clients use in turns.
        paths: what each client requests.
    """
    with ThreadPoolExecutor(len(paths)) as pool:
        yield WaitingClients(
            {
                path: pool.submit(_ask, urls[at % len(urls)], path, f"127.0.0.{10 + at}")
                for at, path in enumerate(paths)
            }
        )


def _ask(url: str, path: str, source: str) -> list[Response]:
    responses: list[Response] = []
    until = time.monotonic() + 180
    while not responses or responses[-1].status not in _SERVED:
        assert time.monotonic() < until, f"{path} is not served: {responses}"
        with Connection(url, timeout=120, source=source) as connection:
            connection.send(request(path))
            responses.append(connection.receive())
        if responses[-1].status not in _SERVED:
            assert responses[-1].status in {429, 503}, responses[-1]
            assert responses[-1].headers["retry-after"].isdigit(), responses[-1]
            time.sleep(min(1.0, float(responses[-1].headers["retry-after"])))
    return responses

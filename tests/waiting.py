"""Waiting, with a time limit, for what other threads and processes do."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


def eventually(
    holds: Callable[[], Any], *, within: float = 60.0, every: float = 0.05, what: str = ""
) -> Any:
    """Wait until a condition holds, and return its value.

    Args:
        holds: the condition: called until it returns a true value.
        within: seconds to wait at most.
        every: seconds between calls.
        what: names the condition in the error.

    Raises:
        AssertionError: it did not hold in time.
    """
    deadline = time.monotonic() + within
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or holds}")
        time.sleep(every)


@contextmanager
def meanwhile(work: Callable[[], Any]) -> Iterator[None]:
    """Do some work in another thread during the block; wait for its end, and raise its error.

    The work waits by itself for the moment at which it is to happen (see `eventually`).
    """
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        yield
        working.result()

"""Waiting for what other threads and processes will do, bounded."""

import time
from collections.abc import Callable
from typing import Any


def eventually(
    holds: Callable[[], Any], *, within: float = 30.0, every: float = 0.05, what: str = ""
) -> Any:
    """Wait until something holds, and return what it gave.

    Args:
        holds: called again and again; true when it gives something true.
        within: seconds to wait at the most.
        every: seconds between calls.
        what: named when it never holds.
    """
    deadline = time.monotonic() + within
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or holds}")
        time.sleep(every)

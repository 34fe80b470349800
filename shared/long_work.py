"""Runs long work at low priority, one piece at a time, so that other work goes on meanwhile.

Compressing a list of 7,000 repositories takes a second of processor time. The work is given to one
thread whose priority is below that of all others, so that it uses only what they leave. It must
release the interpreter's lock, as compression does: a thread of low priority that waits for a
processor while it holds that lock would stop all others.
"""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

Result = TypeVar("Result")

_LONG = 100_000  # bytes; fewer are compressed in about a millisecond
_NICER = 10  # than the thread that starts it
_NICEST = 19


def run(work: Callable[[bytes], Result], body: bytes) -> Result:
    """The result of work on a body; short work is done at once, in the calling thread.

    Args:
        work: releases the interpreter's lock; raises nothing of its own.
        body: what it works on.
    """
    if len(body) < _LONG:
        return work(body)
    return _thread().submit(work, body).result()


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "long-work", initializer=_lower_priority)


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere, threads have no priority of their own
        # Relative: a process that was started with a low priority may not raise it, not even here.
        nice = min(os.getpriority(os.PRIO_PROCESS, 0) + _NICER, _NICEST)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)


os.register_at_fork(after_in_child=_thread.cache_clear)  # the thread stays behind

"""Long work is done one piece at a time, in a thread of low priority."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from refresher.content.page import Body
from shared import long_work

LONG = b"x" * 200_000


def thread_of(body: bytes) -> int:
    """The thread that works on a body."""
    return long_work.run(lambda _: threading.get_native_id(), body)


def test_short_work_is_done_at_once() -> None:
    assert thread_of(b"x" * 1000) == threading.get_native_id()


def test_all_long_work_is_done_in_one_thread() -> None:
    with ThreadPoolExecutor(4) as threads:
        found = set(threads.map(thread_of, [LONG] * 8))
    assert len(found) == 1
    assert threading.get_native_id() not in found


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_its_priority_is_lower_than_that_of_the_process() -> None:
    def priority(_: bytes) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert long_work.run(priority, LONG) > os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
@pytest.mark.parametrize("nice", [5, 10, 15, 19])
def test_a_process_of_low_priority_does_long_work_too(nice: int) -> None:
    child = os.fork()
    if not child:
        os.nice(max(0, nice - os.getpriority(os.PRIO_PROCESS, 0)))
        before = os.getpriority(os.PRIO_PROCESS, 0)
        found = long_work.run(lambda _: os.getpriority(os.PRIO_PROCESS, 0), LONG)
        os._exit(0 if found == min(before + 10, 19) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_process_that_was_forked_has_a_thread_of_its_own() -> None:
    thread_of(LONG)
    child = os.fork()
    if not child:
        os._exit(0 if thread_of(LONG) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_what_is_compressed_there_is_the_same() -> None:
    assert Body.of(LONG).unpacked() == LONG

"""`X-Request-Id`: what a request is called in its answer, in logs, and in the refresh it causes."""

from collections.abc import Callable
from itertools import chain, count
from threading import Lock
from uuid import uuid4

HEADER = "X-Request-Id"
# What clients and balancers send is taken as it is, where it is a word of a sane length: it goes
# into headers, logs and jobs.
_SANE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=:@-"
_LONGEST = 128


def taken(value: bytes) -> bytes | None:
    """The id that a request came with; None where it is none that can be taken."""
    is_sane = 0 < len(value) <= _LONGEST and not value.translate(None, _SANE)
    return value if is_sane else None


_LAST_DIGITS = [b"%02x" % number for number in range(256)]


class RequestIds:
    """Ids for requests that came without one, unlike those of all other processes.

    Counted, not drawn: a random number for each request would cost the front more than its answer.
    Make it after the fork.
    """

    def __init__(self) -> None:
        # For the front, which is one thread.
        self.new = _sequence()
        self._new_for_any = _sequence()
        self._lock = Lock()

    def of(self, sent: bytes) -> str:
        """The id of a request: the one that it came with, or the next one; for any thread.

        Args:
            sent: value of `X-Request-Id`; empty where there is none.
        """
        given = taken(sent)
        if given is None:
            with self._lock:
                given = self._new_for_any()
        return given.decode()


def _sequence() -> Callable[[], bytes]:
    """Gives another id each time it is called.

    A chain of built-in functions over ids that are made 256 at a time: a third of what it costs to
    write each number.
    """
    prefix = uuid4().hex[:16].encode() + b"-"

    def block(number: int) -> list[bytes]:
        begin = prefix + b"%x" % number
        return [begin + end for end in _LAST_DIGITS]

    return chain.from_iterable(map(block, count())).__next__

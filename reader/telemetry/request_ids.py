"""`X-Request-Id`: the id of a request in its response, in logs, and in the refresh it causes.

`X-GitHub-Request-Id` has the same value: GitHub's clients show it to their users.
"""

from collections.abc import Callable
from itertools import chain, count
from threading import Lock

HEADER = "X-Request-Id"
GITHUB_HEADER = "X-GitHub-Request-Id"
# An id that a client or a load balancer sends is used if it is a word of limited length: it goes
# into headers, logs and jobs.
_SANE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=:@-"
_LONGEST = 128


def taken(value: bytes) -> bytes | None:
    """The id that a request came with; None if it cannot be used."""
    is_sane = 0 < len(value) <= _LONGEST and not value.translate(None, _SANE)
    return value if is_sane else None


_LAST_DIGITS = [b"%02x" % number for number in range(256)]


class RequestIds:
    """Ids for requests that came without one.

    Each is a prefix and a number: a random number for each request would cost the front more than
    its response.

    Args:
        prefix: 15 random hexadecimal digits; each process needs its own, drawn after the fork.
    """

    def __init__(self, prefix: str) -> None:
        # For the front, which is one thread.
        self.new = _sequence(f"{prefix}0-")
        self._new_for_any = _sequence(f"{prefix}1-")
        self._lock = Lock()

    def of(self, sent: bytes) -> str:
        """The id of a request: the one that it came with, or a new one; for any thread.

        Args:
            sent: value of `X-Request-Id`; empty if absent.
        """
        given = taken(sent)
        if given is None:
            with self._lock:
                given = self._new_for_any()
        return given.decode()


def _sequence(prefix: str) -> Callable[[], bytes]:
    """A function that returns another id at each call.

    It is a chain of built-in functions over ids that are made 256 at a time, which costs a third of
    formatting each number.
    """

    def block(number: int) -> list[bytes]:
        begin = prefix.encode() + b"%x" % number
        return [begin + end for end in _LAST_DIGITS]

    return chain.from_iterable(map(block, count())).__next__

"""`X-Request-Id`: what a request is called in its answer, in logs, and in the refresh it causes."""

from itertools import count
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


class RequestIds:
    """Ids for requests that came without one, unlike those of all other processes.

    Counted, not drawn: a random number for each request would cost the front more than its answer.
    Make it after the fork.
    """

    def __init__(self) -> None:
        self._prefix = uuid4().hex[:16].encode() + b"-"
        self._numbers = count(1)

    def new(self) -> bytes:
        """The next id."""
        return self._prefix + b"%x" % next(self._numbers)

    def of(self, sent: bytes) -> str:
        """The id of a request: the one that it came with, or the next one.

        Args:
            sent: value of `X-Request-Id`; empty where there is none.
        """
        return (taken(sent) or self.new()).decode()

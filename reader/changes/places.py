"""How many followers of the change feed a process and a client may have. For one thread only."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from reader.errors import TooMany, Unavailable

_RETRY_AFTER = 10  # seconds


class Places:
    """The followers of a process.

    Args:
        most: followers of the process.
        most_of_client: followers of one client address.
    """

    def __init__(self, most: int, most_of_client: int) -> None:
        self._most = most
        self._most_of_client = most_of_client
        self._of_client = Counter[str]()
        self.taken = 0

    @contextmanager
    def take(self, client: str) -> Iterator[None]:
        """Hold a place for a client.

        Raises:
            Unavailable: the process has too many followers.
            TooMany: the client has.
        """
        if self.taken >= self._most:
            raise Unavailable(
                "This process has as many followers as it may have (CHANGES_FOLLOWERS).",
                retry_after=_RETRY_AFTER,
            )
        if self._of_client[client] >= self._most_of_client:
            raise TooMany(
                "This address has as many followers as one client may have (CLIENT_MAX_FOLLOWERS).",
                retry_after=_RETRY_AFTER,
            )
        self.taken += 1
        self._of_client[client] += 1
        try:
            yield
        finally:
            self.taken -= 1
            self._of_client[client] -= 1
            if not self._of_client[client]:
                del self._of_client[client]

"""How many files a process may have open, shared among what needs them.

Where the limit is low, connections beyond their share are handled as beyond any other limit: an
idle one is closed, or a 503 is sent. A process without a free file could do neither: it could not
even accept them, nor reach Redis.
"""

from typing import NamedTuple

from shared.settings import Settings

_OWN = 24  # the process's own: listening socket, event loop, log, Redis
_LEAST = 8  # connections
_CONNECTIONS = 4096


class FileShares(NamedTuple):
    """The shares.

    Args:
        connections: of clients, at the same time.
        segments: files of large lists that are held open.
    """

    connections: int
    segments: int


def connections_wanted(settings: Settings) -> int:
    """How many connections a process has at most where it has files enough."""
    return _CONNECTIONS + settings.changes_followers


def file_shares(files: int, *, connections: int) -> FileShares:
    """The shares of so many files.

    Threads that ask Redis at the same time have a connection each: an eighth is left to them.

    Args:
        files: that the process may open.
        connections: as many as are wanted.
    """
    left = max(0, files - _OWN - files // 8)
    given = min(connections, max(_LEAST, left - left // 3))
    return FileShares(given, max(0, left - given))

"""The content codings that entries are stored in (RFC 9110 section 8.4.1): one table.

The refreshers compress each body once, and the readers send what is stored. Readers compress only
bodies under the mount `/api/v3`, which they make themselves, with gzip alone.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass

_GZIP_LEVEL = 6
_BROTLI_QUALITY = 5  # as quick as that gzip, a fifth smaller; 11 takes a hundred times as long


@dataclass(frozen=True)
class Encoding:
    """A content coding.

    Args:
        name: HTTP's name of it.
        compress: returns the same bytes each time for the same input.
        version: raise it when `compress` returns other bytes; stored bodies are then rebuilt.
    """

    name: str
    compress: Callable[[bytes], bytes]
    version: int = 1


def _brotli(body: bytes) -> bytes:
    import brotli  # noqa: PLC0415 - the readers do not need it

    compressed: bytes = brotli.compress(body, quality=_BROTLI_QUALITY)
    return compressed


def _gzip(body: bytes) -> bytes:
    # Without mtime=0 two refreshers would give different bytes under one strong ETag.
    return gzip.compress(body, compresslevel=_GZIP_LEVEL, mtime=0)


# The best first: of several that a client likes equally, the readers send the first.
TABLE = (Encoding("br", _brotli), Encoding("gzip", _gzip))

ENCODINGS = tuple(encoding.name for encoding in TABLE)
VERSIONS = {encoding.name: encoding.version for encoding in TABLE}


def gzipped(body: bytes) -> dict[str, bytes]:
    """The body in gzip, if that makes it smaller, by the coding's name."""
    smaller = _gzip(body)
    return {"gzip": smaller} if len(smaller) < len(body) else {}


def compressed(body: bytes) -> dict[str, bytes]:
    """The body in each coding that makes it smaller, by the coding's name."""
    made = {encoding.name: encoding.compress(body) for encoding in TABLE}
    return {name: smaller for name, smaller in made.items() if len(smaller) < len(body)}

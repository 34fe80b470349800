"""Reading an answer's body: decompressed, whole, bounded in bytes and in seconds."""

import zlib
from collections.abc import Callable

import requests
from urllib3.exceptions import HTTPError as TransportError
from urllib3.exceptions import ReadTimeoutError

from refresher.errors import OriginError
from shared.outcomes import FailureKind

_CHUNK = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


def read_body(response: requests.Response, *, max_bytes: int, is_late: Callable[[], bool]) -> bytes:
    """The body of a streamed response.

    Reads what has arrived, however little: with full chunks, or with a library's decompression,
    an origin that sends a byte now and then would keep us long past any deadline.

    Args:
        response: whose body was not touched yet.
        max_bytes: decompressed bytes beyond which it is given up.
        is_late: whether to give up for the time it takes; asked after each arrival.

    Raises:
        OriginError: too long in bytes or seconds, cut short, or compressed in another way.
    """
    status = response.status_code
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in {"identity", "gzip"}:
        reason = "GitHub compressed its answer in a way that was not asked for"
        raise OriginError(FailureKind.UNEXPECTED, reason, status=status)
    unzip = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
    body = bytearray()
    try:
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            room = max_bytes + 1 - len(body)
            body += unzip.decompress(chunk, room) if unzip else chunk
            if len(body) > max_bytes:
                reason = f"an answer of more than {max_bytes} bytes (ORIGIN_MAX_BYTES)"
                raise OriginError(FailureKind.TOO_LARGE, reason, status=status)
            if is_late():
                reason = "GitHub did not finish its answer in time"
                raise OriginError(FailureKind.TIMEOUT, reason, status=status)
    except ReadTimeoutError as error:
        reason = "GitHub fell silent in the middle of its answer"
        raise OriginError(FailureKind.TIMEOUT, reason, status=status) from error
    except (TransportError, zlib.error) as error:
        raise _broke_off(status) from error
    if unzip is not None and body and not unzip.eof:
        raise _broke_off(status)
    return bytes(body)


def _broke_off(status: int) -> OriginError:
    return OriginError(FailureKind.CONNECTION, "GitHub's answer broke off", status=status)

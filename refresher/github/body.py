"""Reads a response body: decompressed, complete, bounded in bytes and seconds."""

import json
import re
import zlib
from collections.abc import Callable

import requests
from urllib3.exceptions import HTTPError as TransportError
from urllib3.exceptions import ReadTimeoutError

from refresher.errors import OriginError
from shared.outcomes import FailureKind

_CHUNK = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_LONGEST = 300  # characters of a message
# Bytes of an error body that are read for its message, which comes first.
START = 4096
# The first member of an error's object; what follows may be long.
_MESSAGE = re.compile(rb'\s*\{\s*"message"\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)


def read_body(response: requests.Response, *, max_bytes: int, is_late: Callable[[], bool]) -> bytes:
    """The body of a streamed response.

    Each read returns what has arrived, however little. If it waited for full chunks, as a library's
    decompression does, a server that sends a byte now and then could delay us far past the
    deadline.

    Args:
        response: its body has not been read yet.
        max_bytes: maximum size, decompressed.
        is_late: returns whether the deadline has passed; called after each read.

    Raises:
        OriginError: the body is too large, too late, incomplete, or in an unknown coding.
    """
    status = response.status_code
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in {"identity", "gzip"}:
        reason = "GitHub compressed its response in a way that was not requested"
        raise OriginError(FailureKind.UNEXPECTED, reason, status=status)
    unzip = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
    body = bytearray()
    try:
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            room = max_bytes + 1 - len(body)
            body += unzip.decompress(chunk, room) if unzip else chunk
            if len(body) > max_bytes:
                reason = f"GitHub's response has more than {max_bytes} bytes (ORIGIN_MAX_BYTES)"
                raise OriginError(FailureKind.TOO_LARGE, reason, status=status)
            if is_late():
                reason = "GitHub did not finish its response in time"
                raise OriginError(FailureKind.TIMEOUT, reason, status=status)
    except ReadTimeoutError as error:
        reason = "GitHub stopped sending in the middle of its response"
        raise OriginError(FailureKind.TIMEOUT, reason, status=status) from error
    except (TransportError, zlib.error) as error:
        raise _broke_off(status) from error
    if unzip is not None and body and not unzip.eof:
        raise _broke_off(status)
    return bytes(body)


def _broke_off(status: int) -> OriginError:
    return OriginError(
        FailureKind.CONNECTION,
        "the connection broke in the middle of GitHub's response",
        status=status,
    )


def message_in(start: bytes) -> str:
    """GitHub's message in an error body, as one printable line; empty if there is none.

    Args:
        start: first bytes of the body.
    """
    found = _MESSAGE.match(start[:START])
    if found is None:
        return ""
    try:
        line = " ".join(json.loads(found[1]).split())
    except ValueError:
        return ""
    return "".join(one for one in line if one.isprintable())[:_LONGEST]

"""HTTP/1.1 messages, with nothing of GitHub: parse requests, write heads, encode bodies."""

import gzip
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Any, BinaryIO, Final
from urllib.parse import parse_qsl, unquote, urlsplit

LONGEST_LINE: Final = 16_384
MOST_HEADERS: Final = 100
LARGEST_CACHED: Final = 2_000_000
KNOWN_STATUSES: Final = frozenset(map(int, HTTPStatus))
# Stands for a %2F of a path: data of its segment. No path contains it, since it is no character.
SLASH: Final = "\udc2f"
NO_BODY: Final = (204, 304)  # RFC 9110 §6.4.1


class BadRequestError(Exception):
    """The bytes are not a request that this server understands."""


@dataclass(frozen=True)
class Request:
    """A request; header names are in lower case, and as they were sent in `header_names`."""

    method: str
    target: str
    headers: dict[str, str]
    header_names: tuple[str, ...]
    body: bytes = b""
    version: str = "HTTP/1.1"
    peer: str = "127.0.0.1"

    @property
    def path(self) -> str:
        """The target's path, decoded; a %2F of it is SLASH."""
        pieces = re.split("%2F", urlsplit(self.target).path, flags=re.IGNORECASE)
        return SLASH.join(map(unquote, pieces))

    @property
    def query(self) -> list[tuple[str, str]]:
        """The target's query as pairs, decoded, in their order."""
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def keep_alive(self) -> bool:
        """Whether the connection persists after this request (RFC 9112 §9.3)."""
        connection = self.headers.get("connection", "").lower()
        return "close" not in connection and self.version == "HTTP/1.1"


def decoded(text: str) -> str:
    """A part of a path with its own slashes as slashes."""
    return text.replace(SLASH, "/")


@dataclass
class HttpResponse:
    """A response ready to be sent; the body is the encoded one of a GET, also for HEAD."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def read_request(stream: BinaryIO, peer: str) -> Request | None:
    """The next request of a connection; None at its end. Raises BadRequestError, OSError."""
    line = stream.readline(LONGEST_LINE + 1)
    while line in (b"\r\n", b"\n"):
        line = stream.readline(LONGEST_LINE + 1)
    if not line:
        return None
    parts = line.decode("latin-1").rstrip("\r\n").split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or len(line) > LONGEST_LINE:
        raise BadRequestError(f"request line {line[:80]!r}")
    names, headers = read_headers(stream)
    length = headers.get("content-length", "0")
    if not length.isdigit() or "transfer-encoding" in headers:
        raise BadRequestError("a body needs a Content-Length")
    body = stream.read(int(length))
    return Request(parts[0], parts[1], headers, names, body, parts[2], peer)


def read_headers(stream: BinaryIO) -> tuple[tuple[str, ...], dict[str, str]]:
    """Header names as sent, and values by lower-case name; values of a repeated one are joined."""
    names: list[str] = []
    headers: dict[str, str] = {}
    while (line := stream.readline(LONGEST_LINE + 1)) not in (b"\r\n", b"\n"):
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or len(line) > LONGEST_LINE or len(names) >= MOST_HEADERS:
            raise BadRequestError(f"header {line[:80]!r}")
        names.append(name)
        key = name.lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return tuple(names), headers


def head_bytes(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Status line and headers of a response, with the empty line that ends them."""
    phrase = HTTPStatus(status).phrase if status in KNOWN_STATUSES else "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def compact_json(value: Any) -> bytes:
    """JSON as GitHub sends it to programs: no spaces, UTF-8 unescaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def pretty_json(compact: bytes) -> bytes:
    """The same JSON as GitHub sends it to curl: two spaces, and a newline at the end."""
    return json.dumps(json.loads(compact), indent=2, ensure_ascii=False).encode() + b"\n"


def allows_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding has gzip (or `*`) with a weight above zero."""
    for entry in accept_encoding.lower().split(","):
        coding, _, weight = entry.partition(";")
        if coding.strip() in ("gzip", "x-gzip", "*"):
            return weight.replace(" ", "").removeprefix("q=") not in ("0", "0.0", "0.00", "0.000")
    return False


def gzipped(body: bytes) -> bytes:
    """The body compressed, the same bytes each time."""
    if len(body) > LARGEST_CACHED:
        return gzip.compress(body, compresslevel=1, mtime=0)
    return gzipped_once(body)


@lru_cache(maxsize=128)
def gzipped_once(body: bytes) -> bytes:
    """`gzipped` for bodies of usual size: 200 clients of one list cost one compression."""
    return gzip.compress(body, compresslevel=6, mtime=0)

"""HTTP/1.1 client for tests and benches: sends any bytes, and parses responses strictly.

Ordinary requests go through `requests`. This client is for the others: malformed or smuggled
requests, pipelines, slow clients, bodies as they were on the wire, load generators.

`ResponseParser` does no I/O. `Connection` feeds it from a blocking socket, `AsyncConnection` from
an asyncio stream; load generators with an event loop of their own feed it themselves.
"""

import asyncio
import gzip
import json
import re
import socket
import struct
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self, TypeAlias
from urllib.parse import urlsplit

import brotli

CRLF: Final = b"\r\n"
_PIECE: Final = 65536
_BODILESS: Final = frozenset({204, 304})  # RFC 9110, section 6.4.1
_STATUS_LINE: Final = re.compile(r"HTTP/1\.[01] ([1-9]\d\d) .*")
_FIELD_LINE: Final = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
_CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]+")

# Decompresses a body, by the name of its content coding.
DECOMPRESS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
}

# Yields whenever it needs more bytes; its result is what it read.
_Reading: TypeAlias = Generator[None, None, bytes]


class ConnectionClosed(ConnectionError):  # noqa: N818 - not an error: tests wait for it
    """The server closed the connection; `args[0]` is what had arrived of the next response."""


class MalformedResponse(Exception):  # noqa: N818 - the server's error
    """The bytes are not a valid HTTP/1.1 response."""


@dataclass(frozen=True)
class Response:
    """One response.

    Args:
        headers: by lower-case name.
        body: as it was on the wire, without its chunks.
        transferred: bytes of head and body; two responses may be equal without it.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    transferred: int = field(default=0, compare=False)

    @property
    def content(self) -> bytes:
        """The body without its content coding."""
        decompress = DECOMPRESS.get(self.headers.get("content-encoding", ""), bytes)
        return decompress(self.body)

    @property
    def json(self) -> Any:
        """The content's value."""
        return json.loads(self.content)

    @property
    def links(self) -> dict[str, str]:
        """The `Link` header as relation -> address, in the header's order."""
        parts = [part.split(">; rel=") for part in self.headers.get("link", "").split(", ") if part]
        return {relation.strip('"'): url.lstrip("<") for url, relation in parts}

    @property
    def closes(self) -> bool:
        """Whether the server says that this is the connection's last response."""
        return self.headers.get("connection", "").lower() == "close"


class ResponseParser:
    """Parser of one response, from bytes that arrive in any pieces.

    A field that occurs twice, a response with both Content-Length and Transfer-Encoding, chunk
    extensions and trailers are refused: our servers send none of these.

    Args:
        method: of the request; a response to HEAD has no body.
        keeps_body: False drops the body as it arrives, which costs a load generator less.
        needs_length: whether to refuse a body that ends only with the connection.
    """

    def __init__(
        self, method: str = "GET", *, keeps_body: bool = True, needs_length: bool = False
    ) -> None:
        self._method = method
        self._keeps_body = keeps_body
        self._needs_length = needs_length
        self._buffer = bytearray()
        self._stream_ended = False
        self._steps = self._read_response()
        self._body = b""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.received = 0
        self.is_complete = False

    def feed(self, data: bytes) -> bool:
        """Parse more bytes; return whether the response is complete.

        Raises:
            MalformedResponse: the bytes are not a response.
        """
        self.received += len(data)
        self._buffer += data
        return self._advance()

    def end(self) -> bool:
        """Note the end of the stream; return whether the response is complete."""
        self._stream_ended = True
        return self._advance()

    @property
    def rest(self) -> bytes:
        """Bytes behind a complete response."""
        return bytes(self._buffer)

    @property
    def response(self) -> Response:
        """The complete response."""
        assert self.is_complete
        transferred = self.received - len(self._buffer)
        return Response(self.status, self.headers, self._body, transferred)

    @property
    def closes(self) -> bool:
        """Whether the head says that this is the connection's last response."""
        return Response(self.status, self.headers).closes

    def _advance(self) -> bool:
        if not self.is_complete:
            try:
                next(self._steps)
            except StopIteration as done:
                self.is_complete, self._body = True, done.value
        return self.is_complete

    def _read_response(self) -> _Reading:
        head = yield from self._until(CRLF + CRLF)
        line, *field_lines = head.decode("latin-1").split("\r\n")
        if (status_line := _STATUS_LINE.fullmatch(line)) is None:
            raise MalformedResponse(f"status line {line[:200]!r}")
        self.headers = _parse_fields(field_lines)
        self.status = int(status_line[1])
        return (yield from self._read_body())

    def _read_body(self) -> _Reading:
        """RFC 9112, section 6.3."""
        if self._method == "HEAD" or self.status in _BODILESS or self.status < 200:
            return b""
        coding, length = map(self.headers.get, ("transfer-encoding", "content-length"))
        if coding is not None and (coding != "chunked" or length is not None):
            raise MalformedResponse(f"Transfer-Encoding {coding!r}, Content-Length {length!r}")
        if coding is not None:
            return (yield from self._read_chunks())
        if length is not None:
            if not (length.isascii() and length.isdigit()):
                raise MalformedResponse(f"Content-Length {length!r}")
            return (yield from self._exactly(int(length)))
        if self._needs_length:
            raise MalformedResponse(f"no length: {self.status} {self.headers!r}")
        return (yield from self._until_the_end())

    def _read_chunks(self) -> _Reading:
        body = bytearray()
        while size := _chunk_size((yield from self._until(CRLF))):
            body += yield from self._exactly(size)
            if (yield from self._exactly(2, keep=True)) != CRLF:
                raise MalformedResponse("a chunk is longer than its size")
        if (yield from self._until(CRLF)) != b"":
            raise MalformedResponse("a trailer")
        return bytes(body)

    def _until(self, end: bytes) -> _Reading:
        while (at := self._buffer.find(end)) < 0:
            yield
        return self._take(at, drop=len(end))

    def _exactly(self, size: int, *, keep: bool = False) -> _Reading:
        while (missing := size - len(self._buffer)) > 0:
            if not (keep or self._keeps_body):
                self._buffer.clear()
                size = missing
            yield
        piece = self._take(size)
        return piece if keep or self._keeps_body else b""

    def _until_the_end(self) -> _Reading:
        while not self._stream_ended:
            yield
        return self._take(len(self._buffer))

    def _take(self, size: int, *, drop: int = 0) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[: size + drop]
        return taken


def _parse_fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        if (found := _FIELD_LINE.fullmatch(line)) is None:
            raise MalformedResponse(f"field line {line[:200]!r}")
        name, value = found[1].lower(), found[2]
        if name in fields:
            raise MalformedResponse(f"a field occurs twice: {line[:200]!r}")
        fields[name] = value
    return fields


def _chunk_size(line: bytes) -> int:
    if _CHUNK_SIZE.fullmatch(line) is None:
        raise MalformedResponse(f"chunk size {line[:200]!r}")
    return int(line, 16)


def request(target: str, *, method: str = "GET", **fields: str) -> bytes:
    """The bytes of a request's head; `_` in a field's name stands for `-`."""
    named = {"Host": "cache.test", **{name.replace("_", "-"): v for name, v in fields.items()}}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {v}" for name, v in named.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Connection:
    """A blocking connection.

    Args:
        url: only host and port count.
        timeout: seconds for each wait.
        receive_buffer: bytes that the kernel keeps for us; its default when None.
        source: address of this machine to connect from; the usual one when None.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 60,
        receive_buffer: int | None = None,
        source: str | None = None,
    ) -> None:
        address = urlsplit(url)
        self.socket = socket.socket()
        if source is not None:
            self.socket.bind((source, 0))
        if receive_buffer is not None:  # before the connection, which announces it
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._timeout = timeout
        self.socket.settimeout(timeout)
        try:
            self.socket.connect((address.hostname, address.port))
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()  # everything from the next response's first byte on

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send all of the bytes, unchanged."""
        self.socket.sendall(data)

    def ask(self, target: str, *, method: str = "GET", **fields: str) -> Response:
        """Send a request without a body, and receive its response."""
        self.send(request(target, method=method, **fields))
        return self.receive(method=method)

    def receive(self, *, method: str = "GET") -> Response:
        """The next response, which may be an interim one (1xx).

        Raises:
            ConnectionClosed: the connection ended before a whole response.
            MalformedResponse: the bytes are not a response.
        """
        parser = ResponseParser(method)
        complete = parser.feed(bytes(self._buffer))
        while not complete:
            try:
                complete = parser.feed(self._more())
            except ConnectionClosed:
                if not parser.end():
                    raise
                complete = True
        self._buffer[:] = parser.rest
        return parser.response

    def receive_if_any(self) -> Response | None:
        """The next response; None if the connection ends instead."""
        try:
            return self.receive()
        except ConnectionClosed as end:
            if end.args[0]:
                raise
        return None

    def take(self, size: int) -> int:
        """Take up to `size` bytes that have arrived, without waiting; return their number."""
        self.socket.setblocking(False)
        try:
            piece = self.socket.recv(size)
        except BlockingIOError:
            return 0
        finally:
            self.socket.settimeout(self._timeout)
        if not piece:
            raise ConnectionClosed(bytes(self._buffer))
        self._buffer += piece
        return len(piece)

    @property
    def buffered(self) -> int:
        """Number of bytes that were taken and not yet parsed."""
        return len(self._buffer)

    def enlarge(self, receive_buffer: int) -> None:
        """Let the kernel take more bytes from now on."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)

    def vanish(self) -> None:
        """End the connection with an RST, as a client that was killed does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def is_closed(self) -> bool:
        """Whether the server ends the connection, and sends nothing before."""
        try:
            self._more()
        except ConnectionClosed as end:
            return not end.args[0]
        return False

    def _more(self) -> bytes:
        try:
            piece = self.socket.recv(_PIECE)
        except ConnectionError as error:  # an RST
            raise ConnectionClosed(bytes(self._buffer)) from error
        if not piece:
            raise ConnectionClosed(bytes(self._buffer))
        self._buffer += piece
        return piece


def exchange(url: str, data: bytes, *, timeout: float = 60, silence: float = 1) -> list[Response]:
    """All responses to some bytes on a new connection, until it ends or falls silent.

    Args:
        data: sent at once.
        timeout: seconds for the first response.
        silence: seconds without another response after which there are no more.
    """
    responses: list[Response] = []
    with Connection(url, timeout=timeout) as connection:
        with suppress(ConnectionError):  # the server may respond and close before all was sent
            connection.send(data)
        with suppress(TimeoutError):
            while response := connection.receive_if_any():
                responses.append(response)
                connection.socket.settimeout(silence)
            return responses
    assert responses, "neither a response nor an end"
    return responses


class AsyncConnection:
    """A connection over asyncio streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._buffer = b""

    @classmethod
    async def open(cls, url: str, **options: Any) -> Self:
        """Connect; the options are those of `asyncio.open_connection`."""
        address = urlsplit(url)
        return cls(*await asyncio.open_connection(address.hostname, address.port, **options))

    def send(self, data: bytes) -> None:
        """Send all of the bytes, unchanged."""
        self.writer.write(data)

    async def receive(self, *, method: str = "GET") -> Response:
        """The next response.

        Raises:
            ConnectionClosed: the connection ended before a whole response.
            MalformedResponse: the bytes are not a response.
        """
        parser, received = ResponseParser(method), self._buffer
        complete = parser.feed(received)
        while not complete:
            if piece := await self.reader.read(_PIECE):
                received += piece
                complete = parser.feed(piece)
            elif not (complete := parser.end()):
                raise ConnectionClosed(received)
        self._buffer = parser.rest
        return parser.response

    async def is_closed(self) -> bool:
        """Whether the server ends the connection, and sends nothing before."""
        return self._buffer == b"" and await self.reader.read(1) == b""

    async def close(self) -> None:
        """Close the connection."""
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

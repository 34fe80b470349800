"""A whole exchange ends at its deadline, whatever the other side sends byte by byte."""

import itertools
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

import pytest

from refresher.errors import OriginError
from refresher.github.bounded_connection import MAX_HEAD
from shared.outcomes import FailureKind
from tests.refresher.github.raw_server import drip, raw_server, read_request
from tests.refresher.workbench import make_client, make_settings

DEADLINE = 0.6
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def repeated(data: bytes) -> Iterator[bytes]:
    return itertools.repeat(data)


# What is sent at once, and what then drips without end.
DRIPS: dict[str, tuple[bytes, Callable[[], Iterable[bytes]]]] = {
    "status line": (b"", lambda: [b"HTTP/1.1 200 " + b"O" * 10_000]),
    "header fields": (HEAD, lambda: repeated(b"X-More: 1\r\n")),
    "one header field": (HEAD, lambda: [b"X-More: " + b"1" * 10_000]),
    "100 Continue": (b"", lambda: repeated(b"HTTP/1.1 100 Continue\r\n\r\n")),
    "103 Early Hints": (b"", lambda: repeated(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")),
    "body": (HEAD + b"Content-Length: 10000\r\n\r\n", lambda: repeated(b" ")),
    "body without a length": (HEAD + b"\r\n", lambda: repeated(b" ")),
    "chunk sizes": (CHUNKED, lambda: [b"0" * 10_000]),
    "chunk extensions": (CHUNKED, lambda: [b"1;" + b"x" * 10_000]),
    "chunks": (CHUNKED, lambda: repeated(b"1\r\n \r\n")),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", lambda: repeated(b"X-More: 1\r\n")),
}


def error_of(url: str, **known: Any) -> tuple[OriginError, float]:
    """The error that a request ends with, and the seconds that it took."""
    client = make_client(make_settings(url, **{"origin_deadline": DEADLINE, **known}))
    began = time.monotonic()
    with closing(client.transport), pytest.raises(OriginError) as failed:
        client.get(client.url_of("/"))
    return failed.value, time.monotonic() - began


@pytest.mark.parametrize("part", DRIPS)
def test_a_part_that_drips_ends_at_the_deadline(part: str) -> None:
    at_once, then = DRIPS[part]

    def behave(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(at_once)
        for piece in then():
            drip(connection, piece)

    with raw_server(behave) as server:
        error, seconds = error_of(f"http://{server.address}")
    assert error.kind is FailureKind.TIMEOUT
    assert DEADLINE - 0.1 < seconds < DEADLINE + 5


def test_a_proxy_s_response_that_drips_ends_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def behave(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n")
        for piece in repeated(b"X-More: 1\r\n"):
            drip(connection, piece)

    with raw_server(behave) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{server.address}")
        error, seconds = error_of("https://github.invalid")
    assert error.kind is FailureKind.TIMEOUT
    assert DEADLINE - 0.1 < seconds < DEADLINE + 5


def test_a_tls_handshake_that_drips_ends_at_the_deadline() -> None:
    def behave(connection: socket.socket, _: int) -> None:
        connection.recv(4096)
        # The header of a TLS record of 16,000 bytes, which then arrives byte by byte.
        connection.sendall(b"\x16\x03\x03\x3e\x80")
        drip(connection, b"\x02\x00\x3e\x7c" + b"\x00" * 16_000)

    with raw_server(behave) as server:
        error, seconds = error_of(f"https://{server.address}", origin_connect_timeout=60)
    assert error.kind is FailureKind.TIMEOUT
    assert seconds < DEADLINE + 5


@pytest.mark.parametrize(
    "piece", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\nX: " + b"x" * 50_000]
)
def test_a_head_without_end_is_refused_before_the_deadline(piece: bytes) -> None:
    def behave(connection: socket.socket, _: int) -> None:
        read_request(connection)
        for _ in range(1 + 100 * MAX_HEAD // len(piece)):
            connection.sendall(piece)

    with raw_server(behave) as server:
        error, seconds = error_of(f"http://{server.address}", origin_deadline=30)
    assert error.kind is FailureKind.CONNECTION
    assert seconds < 10


def test_a_response_may_follow_interim_ones() -> None:
    def behave(connection: socket.socket, _: int) -> None:
        read_request(connection)
        for line in (b"100 Continue", b"103 Early Hints\r\nLink: </x>", b"102 Processing"):
            connection.sendall(b"HTTP/1.1 " + line + b"\r\n\r\n")
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")

    with raw_server(behave) as server:
        client = make_client(make_settings(f"http://{server.address}"))
        with closing(client.transport):
            response = client.get(client.url_of("/"))
    assert (response.status, response.body) == (200, b"{}")

"""The HTTP client of tests and benches: where a response ends, and what it refuses."""

import asyncio
import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import brotli
import pytest

from tests.http_client import (
    AsyncConnection,
    Connection,
    ConnectionClosed,
    MalformedResponse,
    Response,
    ResponseParser,
    exchange,
    request,
)

PLAIN = b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 4\r\n\r\nbody"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n0A\r\ndy, in two\r\n0\r\n\r\n"
)
OPEN = b"HTTP/1.0 200 OK\r\n\r\nbody"


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


class TestParser:
    @pytest.mark.parametrize("keeps_body", [True, False])
    @pytest.mark.parametrize("size", [1, 7, 1000])
    @pytest.mark.parametrize(
        ("data", "body"), [(PLAIN, b"body"), (CHUNKED, b"body, in two")], ids=["length", "chunks"]
    )
    def test_finds_the_end_in_any_pieces(
        self, data: bytes, body: bytes, size: int, keeps_body: bool
    ) -> None:
        parser = ResponseParser(keeps_body=keeps_body)
        *first, last = [parser.feed(piece) for piece in pieces(data, size)]
        assert (any(first), last) == (False, True)
        assert parser.response == Response(200, parser.headers, body if keeps_body else b"")
        assert (parser.received, parser.response.transferred) == (len(data), len(data))
        assert (parser.rest, parser.closes) == (b"", data is PLAIN)

    def test_leaves_what_follows(self) -> None:
        parser = ResponseParser()
        assert parser.feed(PLAIN + OPEN)
        assert (parser.response.body, parser.rest) == (b"body", OPEN)
        assert parser.response.transferred == len(PLAIN)

    def test_a_body_without_a_length_ends_with_the_connection(self) -> None:
        parser = ResponseParser()
        assert not parser.feed(OPEN)
        assert parser.end()
        assert parser.response.body == b"body"

    def test_a_connection_that_ends_early_completes_nothing(self) -> None:
        for data in (PLAIN, CHUNKED):
            for length in range(len(data)):
                parser = ResponseParser()
                assert not parser.feed(data[:length])
                assert not parser.end()

    @pytest.mark.parametrize(
        ("method", "status"), [("GET", 304), ("GET", 204), ("GET", 100), ("HEAD", 200)]
    )
    def test_knows_which_responses_have_no_body_whatever_their_length(
        self, method: str, status: int
    ) -> None:
        parser = ResponseParser(method)
        assert parser.feed(b"HTTP/1.1 %d Any\r\nContent-Length: 99\r\n\r\n" % status)
        assert (parser.response.body, parser.closes) == (b"", False)

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"what?\r\n\r\n", id="no status line"),
            pytest.param(b"HTTP/2 200 OK\r\n\r\n", id="another version"),
            pytest.param(b"HTTP/1.1 200\r\n\r\n", id="no space behind the status"),
            pytest.param(b"HTTP/1.1 204 No\r\nA: 1\r\na: 2\r\n\r\n", id="a field twice"),
            pytest.param(b"HTTP/1.1 204 No\r\nA : 1\r\n\r\n", id="a space before the colon"),
            pytest.param(b"HTTP/1.1 204 No\r\n A: 1\r\n\r\n", id="a folded line"),
            pytest.param(b"HTTP/1.1 204 No\r\nA\r\n\r\n", id="no colon"),
            pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", id="no number"),
            pytest.param(
                CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\n", 1), id="two lengths"
            ),
            pytest.param(CHUNKED.replace(b"chunked", b"gzip, chunked"), id="another coding"),
            pytest.param(CHUNKED.replace(b"0A", b"0x0a"), id="no hexadecimal digits"),
            pytest.param(CHUNKED.replace(b"\r\n2\r\n", b"\r\n2;a=b\r\n"), id="a chunk extension"),
            pytest.param(CHUNKED.replace(b"0A", b"9"), id="a chunk longer than its size"),
            pytest.param(CHUNKED.replace(b"\r\n0\r\n", b"\r\n0\r\nA: 1\r\n"), id="a trailer"),
        ],
    )
    def test_refuses_a_malformed_response(self, data: bytes) -> None:
        with pytest.raises(MalformedResponse):
            ResponseParser().feed(data)

    def test_refuses_a_response_without_a_length_if_told_to(self) -> None:
        with pytest.raises(MalformedResponse, match="no length"):
            ResponseParser(needs_length=True).feed(OPEN)


class TestResponse:
    @pytest.mark.parametrize(
        ("coding", "body"),
        [
            pytest.param({}, b"[1]", id="identity"),
            pytest.param({"content-encoding": "gzip"}, gzip.compress(b"[1]"), id="gzip"),
            pytest.param({"content-encoding": "br"}, brotli.compress(b"[1]"), id="brotli"),
        ],
    )
    def test_has_its_content_without_the_coding(self, coding: dict[str, str], body: bytes) -> None:
        response = Response(200, coding, body)
        assert (response.content, response.json) == (b"[1]", [1])

    def test_has_its_links_in_their_order(self) -> None:
        link = '<https://a.test/?page=2>; rel="next", <https://a.test/?page=9>; rel="last"'
        links = Response(200, {"link": link}).links
        assert list(links.items()) == [
            ("next", "https://a.test/?page=2"),
            ("last", "https://a.test/?page=9"),
        ]
        assert Response(200).links == {}


def test_a_request_has_its_fields_by_keyword() -> None:
    assert request("/a", method="PUT", If_Match='"x"') == (
        b'PUT /a HTTP/1.1\r\nHost: cache.test\r\nIf-Match: "x"\r\n\r\n'
    )
    assert request("/", Host="other") == b"GET / HTTP/1.1\r\nHost: other\r\n\r\n"


@contextmanager
def serving(*sent: bytes, keeps_open: bool = False) -> Iterator[str]:
    """A server that sends some bytes to one client, whatever the client sends; yields its URL."""
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(1000)
                for data in sent:
                    client.sendall(data)
                if keeps_open:
                    is_over.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            is_over.set()
            thread.join()


class TestConnection:
    def test_receives_one_response_after_the_other_until_the_end(self) -> None:
        with serving(PLAIN + CHUNKED, OPEN) as url, Connection(url) as connection:
            connection.send(b"x")
            bodies = [connection.receive().body for _ in range(3)]
            assert bodies == [b"body", b"body, in two", b"body"]
            assert connection.receive_if_any() is None
            assert connection.is_closed()

    def test_says_what_had_arrived_when_the_connection_ended(self) -> None:
        with serving(PLAIN + PLAIN[:-1]) as url, Connection(url) as connection:
            assert connection.ask("/").body == b"body"
            for receive in (connection.receive, connection.receive_if_any):
                with pytest.raises(ConnectionClosed) as end:
                    receive()
                assert end.value.args == (PLAIN[:-1],)
            assert not connection.is_closed()

    def test_takes_bytes_without_parsing_them(self) -> None:
        with serving(PLAIN, keeps_open=True) as url, Connection(url) as connection:
            assert connection.take(1) == 0
            connection.send(b"x")
            while connection.buffered < 7:
                connection.take(7 - connection.buffered)
            assert connection.receive().body == b"body"
            assert connection.buffered == 0

    def test_an_exchange_ends_with_the_connection_or_with_silence(self) -> None:
        for keeps_open in (True, False):
            with serving(PLAIN * 2, keeps_open=keeps_open) as url:
                responses = exchange(url, b"x", silence=0.1)
            assert [response.body for response in responses] == [b"body", b"body"]
        with (
            serving(keeps_open=True) as url,
            pytest.raises(AssertionError, match="neither a response nor an end"),
        ):
            exchange(url, b"x", timeout=0.1)


def test_an_async_connection_receives_the_same() -> None:
    async def receive(url: str) -> None:
        connection = await AsyncConnection.open(url)
        connection.send(b"x")
        assert [(await connection.receive()).body for _ in range(2)] == [b"body", b"body"]
        with pytest.raises(ConnectionClosed) as end:
            await connection.receive()
        assert end.value.args == (PLAIN[:9],)
        await connection.close()
        assert not await connection.is_closed()

    with serving(PLAIN * 2 + PLAIN[:9]) as url:
        asyncio.run(receive(url))

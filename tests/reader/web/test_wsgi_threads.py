"""A WSGI application in threads: its response reaches the loop whole, in one switch of threads."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from reader.web.asgi_types import STREAM, Message
from reader.web.wsgi_threads import WsgiThreads
from shared.buffers import Buffers

SCOPE: Message = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/x",
    "query_string": b"a=1",
    "headers": [(b"host", b"h"), (b"content-length", b"4")],
}


async def never() -> None:
    """A client that does not leave."""
    await asyncio.Event().wait()


def sent_by(app: Callable[..., Iterable[bytes]]) -> list[Message]:
    """What an application sends for a request with a body."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(WsgiThreads(app, threads=1).serve(SCOPE, b"body", send, left=never))
    return sent


def test_status_fields_and_body_are_sent_as_the_application_gave_them() -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        start_response("202 ACCEPTED", [("X-One", "1"), ("X-One", "2")])
        return [environ["QUERY_STRING"].encode(), b" ", body]

    start, body = sent_by(app)
    assert start == {
        "type": "http.response.start",
        "status": 202,
        "headers": [(b"x-one", b"1"), (b"x-one", b"2")],
    }
    assert body == {"type": "http.response.body", "body": b"a=1 body"}


def test_pieces_are_made_one_by_one_as_the_client_takes_them() -> None:
    log: list[str] = []

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            log.append(f"made {number} in {threading.current_thread().name.partition('_')[0]}")
            yield b"%d" % number

    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [])
        environ["asgi.scope"][STREAM] = pieces()
        return [b""]

    async def send(message: Message) -> None:
        log.append(f"sent {message.get('body')!r}, {message.get('more_body', False)}")

    scope = dict(SCOPE)
    asyncio.run(WsgiThreads(app, threads=1).serve(scope, b"", send, left=never))
    assert log == [
        "sent None, False",
        *("made 0 in stream", "sent b'0', True"),
        *("made 1 in stream", "sent b'1', True"),
        *("made 2 in stream", "sent b'2', True"),
        "sent b'', False",
    ]
    assert STREAM not in scope


def test_a_part_of_a_list_is_sent_in_pieces_without_a_thread() -> None:
    body = bytes(range(256)) * 1000

    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [])
        environ["asgi.scope"][STREAM] = Buffers((b"[", memoryview(body)[7:200_000], b"]"))
        return [b""]

    sent: list[Message] = []

    async def send(message: Message) -> None:
        assert threading.current_thread() is threading.main_thread()
        sent.append(message)

    threads = WsgiThreads(app, threads=1)
    asyncio.run(threads.serve(dict(SCOPE), b"", send, left=never))
    parts = [message.get("body", b"") for message in sent]
    assert b"".join(parts) == b"[" + body[7:200_000] + b"]"
    assert max(map(len, parts)) < 20_000
    assert [message.get("more_body", False) for message in sent[1:]] == [True] * (len(sent) - 2) + [
        False
    ]
    assert not threads._streams._threads


def test_no_piece_is_made_for_a_client_that_has_left() -> None:
    made: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(1000):
            made.append(number)
            yield b"piece"

    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [])
        environ["asgi.scope"][STREAM] = pieces()
        return [b""]

    async def serve() -> None:
        gone = asyncio.Event()

        async def left() -> None:
            await gone.wait()

        async def send(_: Message) -> None:
            if len(made) == 3:
                gone.set()
                await asyncio.sleep(0)

        await WsgiThreads(app, threads=1).serve(dict(SCOPE), b"", send, left=left)

    asyncio.run(serve())
    assert 3 <= len(made) <= 4


def test_the_application_runs_in_a_thread_and_its_response_is_closed() -> None:
    threads: list[str] = []

    class Parts:
        is_closed = False

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"a", b"b"])

        def close(self) -> None:
            Parts.is_closed = True

    def app(_: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        threads.append(threading.current_thread().name)
        start_response("200 OK", [])
        return Parts()

    assert sent_by(app)[1]["body"] == b"ab"
    assert Parts.is_closed
    assert threads[0].startswith("WSGI")


def test_an_application_that_starts_again_after_an_error_sends_the_later_start() -> None:
    def app(_: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [("X-One", "1")])
        start_response("500 INTERNAL", [], (ValueError, ValueError(), None))
        return [b"error"]

    start, body = sent_by(app)
    assert (start["status"], start["headers"], body["body"]) == (500, [], b"error")


def test_an_error_of_the_application_reaches_the_server() -> None:
    def app(_: dict[str, Any], __: Callable[..., object]) -> Iterable[bytes]:
        raise KeyError("of the application")

    with pytest.raises(KeyError):
        sent_by(app)

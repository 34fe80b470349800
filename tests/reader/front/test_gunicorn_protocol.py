"""gunicorn's insides are where the front expects them, and requests pass between the two.

Everything here is real: sockets, loops, gunicorn's protocol, the ASGI application and Flask.
"""

import ast
import asyncio
import inspect
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import gunicorn
import pytest
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi
from gunicorn.workers.gasgi import ASGIWorker

from reader.bodies.body_reader import DISCARDED
from reader.front import gunicorn_protocol
from reader.front import worker as worker_module
from reader.front.connection import FrontConnection
from reader.front.gunicorn_protocol import GunicornProtocol, use_for_connections
from reader.front.worker import FrontWorker
from tests.builders import NOW, compressed, make_entry, make_list_entry, on_demand, tracked
from tests.reader.front.helpers import Reader, a_reader, make_head
from tests.reader.front.loopback import Client, Run, a_worker, content, listening, serving

LARGE = bytes(range(32, 127)) * 60_000
ROOT, LARGE_ONE = make_head("/"), make_head("/users/large")
LIVEZ, NOT_HELD = make_head("/livez"), make_head("/users/octocat")
DELIVERY = make_head("/webhooks/github", "Content-Length: 10", method="POST") + b'{"a": "b"}'


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with a_reader(github_webhook_secret="s3cret") as made:
        local = made.bench.local
        local.put(tracked("/"), compressed(make_entry(b'{"url": "x"}' * 50, etag="root")), NOW)
        local.put(tracked("/orgs/Netflix/members"), make_list_entry(95), NOW)
        local.put(on_demand("/users/large"), make_entry(LARGE), NOW)
        local.put(on_demand("/users/none"), make_entry(b"", status=204), NOW)
        yield made


@pytest.fixture
def worker(reader: Reader) -> Iterator[FrontWorker]:
    with a_worker(reader) as made:
        yield made


@pytest.fixture
def asked(worker: FrontWorker) -> list[str]:
    """The targets that reached the application, in order."""
    targets: list[str] = []
    application = worker.asgi

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        targets.append(scope["raw_path"].decode())
        await application(scope, receive, send)

    watched.process = application.process  # type: ignore[attr-defined]
    worker.asgi = watched
    return targets


# Where gunicorn's insides are.


def test_gunicorn_is_of_the_version_that_was_read() -> None:
    assert gunicorn.version_info[0] == 27, "read its asgi/protocol.py again"


# Of `Borrowed`, besides its attributes.
OURS = {"_end", "_may_be_given_back", "_owes_much", "awaits_head"}


def test_what_the_borrowed_protocol_names_is_gunicorns(worker: FrontWorker) -> None:
    """Each `self.name` and `super().name` of it: a hook that has moved would never be called."""
    named = {
        process.attr
        for process in ast.walk(ast.parse(inspect.getsource(GunicornProtocol)))
        if isinstance(process, ast.Attribute) and ast.unparse(process.value) in {"self", "super()"}
    }
    methods = {name for name, value in vars(GunicornProtocol).items() if inspect.isfunction(value)}
    methods -= {"__annotate_func__"}  # Python 3.14 makes it
    gunicorns = ASGIProtocol(worker)
    made = GunicornProtocol(worker, give_back=lambda _: None, lost=lambda: None)
    attributes = vars(made).keys() - vars(gunicorns).keys()
    assert "_arm_keepalive_timer" in methods
    relied_on = (named | methods) - attributes - OURS
    assert {name for name in relied_on if not hasattr(gunicorns, name)} == set()


def test_what_the_docstring_names_is_gunicorns(worker: FrontWorker) -> None:
    names = re.findall(
        r"`(?:ASGIProtocol\.)?(_[a-z_]+|req_count)`", gunicorn_protocol.__doc__ or ""
    )
    assert "_arm_keepalive_timer" in names
    assert [name for name in names if not hasattr(ASGIProtocol(worker), name)] == []


def test_a_connection_begins_as_expected(worker: FrontWorker) -> None:
    known = vars(ASGIProtocol(worker))
    expected = {
        "_awaiting_request": False,
        "_closed": False,
        "_current_request": None,
        "_request_ready": None,
        "_task": None,
        "req_count": 0,
        "transport": None,
    }
    assert {name: known[name] for name in expected} == expected


def test_gunicorns_worker_makes_protocols_by_the_global_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gasgi, "ASGIProtocol", gasgi.ASGIProtocol)  # put back afterwards
    use_for_connections(FrontConnection)
    assert gasgi.ASGIProtocol is FrontConnection
    assert ASGIWorker._serve.__globals__["ASGIProtocol"] is FrontConnection


# Back and forth.


def test_a_connection_goes_to_gunicorn_and_comes_back(
    run: Run, worker: FrontWorker, asked: list[str]
) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            for _ in range(3):
                assert (await client.parsed(ROOT)).status == 200
                assert (await client.parsed(LIVEZ)).body == b'{"status": "ok"}'
                assert (await client.parsed(NOT_HELD)).status == 503
                assert (await client.parsed(make_head("/", method="OPTIONS"))).status == 204
                assert (await client.parsed(ROOT)).status == 200
                assert worker.nr_conns == len(worker.connections) == 1
        assert worker.nr == 15
        assert len(server.fronts) == 1
        assert asked == ["/livez", "/users/octocat", "/"] * 3

    run(test())


def test_pipelined_requests_are_answered_in_order_by_whoever_it_is(
    run: Run, worker: FrontWorker, asked: list[str]
) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            client.send((ROOT + NOT_HELD + LARGE_ONE + LIVEZ + DELIVERY + ROOT) * 3 + ROOT)
            statuses = [(await client.read()).status for _ in range(19)]
            assert statuses == [200, 503, 200, 200, 401, 200] * 3 + [200]
            assert worker.nr_conns == len(worker.connections) == 1

    run(test())


def test_requests_that_are_cut_anywhere_are_answered_in_order(
    run: Run, worker: FrontWorker, asked: list[str]
) -> None:
    """Also where the rest of one comes after the answer to the one before it."""

    async def test() -> None:
        stream = LIVEZ + ROOT + LIVEZ
        async with serving(worker) as server:
            for cut in range(1, len(stream), 3):
                async with server.client() as client:
                    client.send(stream[:cut])
                    complete = [len(LIVEZ) <= cut, len(LIVEZ + ROOT) <= cut]
                    for _ in filter(None, complete):
                        assert (await client.read()).status == 200
                    await asyncio.sleep(0)
                    client.send(stream[cut:])
                    for _ in range(3 - sum(complete)):
                        assert (await client.read()).status == 200

    run(test())


def test_a_body_that_comes_in_pieces_is_taken_whole(run: Run, worker: FrontWorker) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            for at in range(0, len(DELIVERY), 7):
                client.send(DELIVERY[at : at + 7])
                await asyncio.sleep(0.001)
            assert (await client.read()).status == 401
            assert (await client.parsed(ROOT)).status == 200

    run(test())


def test_a_body_that_nobody_reads_is_no_request(run: Run, worker: FrontWorker) -> None:
    async def test() -> None:
        smuggled = make_head("/livez")
        length = f"Content-Length: {len(smuggled)}"
        async with serving(worker) as server, server.client() as client:
            client.send(make_head("/", length) + smuggled + ROOT)
            assert (await client.read()).body == (await client.read()).body

    run(test())


def test_a_body_that_nobody_wants_is_neither_kept_nor_read_without_end(
    run: Run, worker: FrontWorker
) -> None:
    """While the request is being answered; the kernel holds the rest."""
    application, over = worker.asgi, asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await over.wait()
        await application(scope, receive, send)

    slow.process = application.process  # type: ignore[attr-defined]
    worker.asgi = slow

    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            client.send(make_head("/livez", "Content-Length: 99999999") + b"x" * 99999999)
            while not server.fronts or server.fronts[0]._gunicorn is None:
                await asyncio.sleep(0.001)
            borrowed_ = server.fronts[0]._gunicorn
            while not borrowed_._reading_paused:
                await asyncio.sleep(0.001)
            dropped = borrowed_._dropped
            await asyncio.sleep(0.05)
            assert borrowed_._dropped == dropped < 1_000_000
            assert borrowed_._body_receiver.buffered == 0
            over.set()
            sent = await client.read()
            assert (sent.status, sent.value("connection")) == (200, "close")
            with suppress(ConnectionError):
                assert await client.is_closed()

    run(test())


HEADS = [
    (b"GET /openapi.json HTTP/1.1\r\n\r\n", 400),
    (b"GET /openapi.json HTTP/1.0\r\n\r\n", 200),
    (b"GET /openapi.json HTTP/1.1\r\nHost:\r\n\r\n", 400),
    (b"GET /openapi.json HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    (b"GET /openapi.json HTTP/1.0\r\nHost: a/b\r\n\r\n", 400),
    (b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    (b"GET http://a/openapi.json HTTP/1.1\r\n\r\n", 400),
    (b"GET /changes HTTP/1.1\r\n\r\n", 400),
    (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
    (b"GET /orgs/Netflix HTTP/1.1\r\n\r\n", 400),
    (b"OPTIONS /orgs/Netflix HTTP/1.1\r\n\r\n", 400),
    (b"GET /nope HTTP/1.1\r\n\r\n", 400),
    (b"GET /orgs/Netflix#a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /orgs/Netflix?a#a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    # A process is not dead because a load balancer is careless.
    (b"GET /livez HTTP/1.1\r\n\r\n", 200),
    (b"GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n", 200),
]


@pytest.mark.parametrize(("head", "status"), HEADS)
def test_a_request_has_a_host_and_no_fragment(
    run: Run, worker: FrontWorker, head: bytes, status: int
) -> None:
    """RFC 9112 section 3.2; also where the answer does not depend on them."""

    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            client.send(head)
            sent = await client.read()
            assert sent.status == status
            if status == 400:
                assert re.search(b"Host|fragment", sent.body)

    run(test())


@pytest.mark.parametrize(("size", "status"), [(2, 400), (60, 400), (100, 401)])
def test_a_body_may_not_come_in_crumbs(
    run: Run, worker: FrontWorker, size: int, status: int
) -> None:
    """Taking each of them would cost as much as taking kilobytes."""
    fields = [
        "X-Hub-Signature-256: sha256=" + "0" * 64,
        "X-GitHub-Event: a",
        "X-GitHub-Delivery: a",
    ]
    head = make_head("/webhooks/github", *fields, "Transfer-Encoding: chunked", method="POST")
    chunks = b"%x\r\n%s\r\n" % (size, b"x" * size) * 2000

    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            client.send(head + chunks + b"0\r\n\r\n")
            assert (await client.read()).status == status

    run(test())


@pytest.mark.parametrize("size", [10, 100_000, 300_000])
def test_a_body_that_was_not_wanted_but_has_come_leaves_the_connection_open(
    run: Run, worker: FrontWorker, size: int
) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            client.send(make_head("/livez", f"Content-Length: {size}"))
            await asyncio.sleep(0.01)
            client.send(b"x" * size)
            sent = await client.read()
            if size > DISCARDED:  # it had not come when it was answered
                assert sent.value("connection") == "close"
                with suppress(ConnectionError):
                    assert await client.is_closed()
            else:
                assert (await client.parsed(ROOT)).status == 200

    run(test())


def test_a_client_that_is_waited_for_is_the_fronts(
    run: Run, worker: FrontWorker, asked: list[str]
) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            await client.parsed(LIVEZ)
            [front] = server.fronts
            while not front.is_idle:
                await asyncio.sleep(0)
            worker.now += 75.5
            worker.connections.check_timeouts(worker.now)
            assert await client.is_closed()

    run(test())


def test_the_end_that_a_client_asks_gunicorn_for_is_the_end(run: Run, worker: FrontWorker) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            await client.parsed(ROOT)
            sent = await client.parsed(make_head("/livez", "Connection: close"))
            assert sent.value("connection") == "close"
            assert await client.is_closed()
            await server.let_all_go()
            assert len(worker.connections) == 0

    run(test())


@pytest.mark.parametrize("request_", [ROOT, LIVEZ])
def test_a_draining_worker_ends_connections_with_their_next_answer(
    run: Run, worker: FrontWorker, request_: bytes
) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            assert (await client.parsed(request_)).value("connection") is None
            worker.alive = False
            assert (await client.parsed(request_)).value("connection") == "close"
            assert await client.is_closed()
            await server.let_all_go()
        worker.alive = True

    run(test())


def test_both_count_requests_towards_the_same_end(run: Run, worker: FrontWorker) -> None:
    async def test() -> None:
        worker.max_requests = 4
        async with serving(worker) as server, server.client() as client:
            for request in (ROOT, LIVEZ, ROOT):
                assert (await client.parsed(request)).value("connection") is None
            assert (await client.parsed(LIVEZ)).value("connection") == "close"
            assert not worker.alive
            assert await client.is_closed()

    run(test())


def test_a_client_that_goes_while_gunicorn_works_is_forgotten(
    run: Run, worker: FrontWorker
) -> None:
    async def test() -> None:
        async with serving(worker) as server:
            async with server.client() as client:
                client.send(make_head("/webhooks/github", "Content-Length: 10", method="POST"))
                while not server.fronts or server.fronts[0].is_idle:
                    await asyncio.sleep(0.001)
                assert worker.nr_conns == 1
            await server.let_all_go()
            assert len(worker.connections) == 0

    run(test())


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a.test\n\n",
        make_head("/", "Host: b.test"),
        make_head("/", "X-A : b"),
        make_head("/", "Content-Type: a/b", "Content-Type: a/b"),
    ],
)
def test_nonsense_is_refused_by_gunicorn(run: Run, worker: FrontWorker, nonsense: bytes) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            await client.parsed(ROOT)
            assert (await client.parsed(nonsense)).status == 400
            assert await client.is_closed()

    run(test())


def test_a_websocket_is_refused_without_harm(run: Run, worker: FrontWorker) -> None:
    async def test() -> None:
        handshake = make_head(
            "/",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        async with serving(worker) as server, server.client() as other:
            async with server.client() as client:
                await client.parsed(ROOT)
                client.send(handshake)
                assert (await client.reader.readline()).startswith(b"HTTP/1.1 403 ")
                await client.reader.read()
            assert (await other.parsed(ROOT)).status == 200

    run(test())


def test_half_a_request_at_gunicorn_is_not_waited_for_without_end(
    run: Run, worker: FrontWorker
) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            await client.parsed(ROOT)
            client.send(b"\r\nGET / HTTP/1.1\r\n")
            [front] = server.fronts
            while front.is_idle:
                await asyncio.sleep(0.001)
            worker.now += 15.5
            worker.connections.check_timeouts(worker.now)
            with suppress(ConnectionError):  # some loops see an end, others a reset
                assert await client.is_closed()

    run(test())


# The same answers, through every layer there is.

ASKED = [
    (ROOT, False),
    (make_head("/", method="HEAD"), True),
    (make_head("/", "Accept-Encoding: gzip"), False),
    (make_head("/", "Accept-Encoding: br", method="HEAD"), True),
    (make_head("/", "Accept_Encoding: gzip", "X_Forwarded_Host: evil.test"), False),
    (make_head("/", 'If-None-Match: W/"root"'), False),
    (make_head("/", "If-Modified-Since: Fri, 15 Jan 2027 08:00:00 GMT"), False),
    (make_head("/orgs/Netflix/members?page=2"), False),
    (make_head("/orgs/Netflix/members?page=2?"), False),
    (make_head("/orgs/Netflix/members?page=2", "X-Forwarded-Host: evil.test"), False),
    (make_head("/users/none"), False),
    (LARGE_ONE, False),
]


@pytest.mark.parametrize(("head", "is_head"), ASKED)
def test_gunicorn_and_flask_give_the_fronts_answer(
    run: Run, worker: FrontWorker, asked: list[str], head: bytes, is_head: bool
) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            by_front = await client.parsed(head, is_head=is_head)
            assert asked == []
            unusual = head.replace(b"\r\n", b"\r\nExpect: nothing\r\n", 1)
            by_gunicorn = await client.parsed(unusual, is_head=is_head)
            assert len(asked) == 1
            assert content(by_front) == content(by_gunicorn)
            names = [name for name, _ in by_front.fields]
            assert sorted(names) == sorted(name for name, _ in by_gunicorn.fields)
            assert by_front.value("server") == by_gunicorn.value("server") == "api-read-cache"

    run(test())


# Flow control, with what loops and kernels really do.


def test_a_client_that_does_not_read_costs_one_answer(run: Run, worker: FrontWorker) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client(limit=2**24) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(LARGE_ONE * 10 + ROOT)
            while not server.fronts or server.fronts[0].is_idle:
                await asyncio.sleep(0.001)
            transport = server.fronts[0]._transport
            assert transport.get_write_buffer_size() <= len(LARGE) + 2000
            assert not transport.is_reading()
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
            for _ in range(10):
                assert (await client.read()).body == LARGE
            assert (await client.read()).status == 200
            assert transport.is_reading()

    run(test())


@pytest.mark.parametrize("count", [100, 1000, 4000])
def test_a_client_may_pipeline_as_much_as_it_likes_if_it_reads(
    run: Run, worker: FrontWorker, count: int
) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            client.send(ROOT * count)
            for _ in range(count):
                assert (await client.read()).status == 200

    run(test())


def test_many_clients_at_once_get_their_own_answers(run: Run, worker: FrontWorker) -> None:
    tags: dict[int, str | None] = {}

    async def ask_a_few(client: Client, number: int) -> None:
        for turn in range(4):
            page = 1 + (number + turn) % 9
            target = f"/orgs/Netflix/members?per_page=10&page={page}"
            fields = ["Range: bytes=0-"] if (number + turn) % 3 == 0 else []
            sent = await client.parsed(make_head(target, *fields))
            assert f'"id": {page * 10}'.encode() in sent.body
            tags.setdefault(page, sent.value("etag"))
            assert tags[page] == sent.value("etag")

    async def test() -> None:
        async with serving(worker) as server:

            async def one(number: int) -> None:
                async with server.client() as client:
                    await ask_a_few(client, number)

            await asyncio.gather(*map(one, range(30)))

    run(test())
    assert len(set(tags.values())) == 9


# All of it as gunicorn runs it.


def test_a_worker_serves_by_the_front_keeps_time_and_ends_in_peace(
    run: Run, worker: FrontWorker, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gasgi, "ASGIProtocol", FrontConnection)
    monkeypatch.setattr(worker_module, "_TICK", 0.01)
    # Meant for a process of its own, not for the tests'.
    nothing = SimpleNamespace(collect=list, freeze=list, set_threshold=lambda *_: None)
    monkeypatch.setattr(worker_module, "gc", nothing, raising=False)
    monkeypatch.setattr(reader.bench.clock, "now", NOW)
    subscriber = socket.create_server(("127.0.0.1", 0))
    worker.sockets = [listening(subscriber)]

    async def test() -> None:
        worker.loop = asyncio.get_running_loop()
        serving_ = asyncio.create_task(worker._serve())
        while not worker.servers:
            await asyncio.sleep(0.001)
        opened = await asyncio.open_connection(*subscriber.getsockname())
        client = Client(*opened)
        assert (await client.parsed(ROOT)).value("age") == "0"
        assert (await client.parsed(LIVEZ)).status == 200
        reader.bench.clock.now += 7
        began = worker.now
        while (await client.parsed(ROOT)).value("age") != "7" or worker.now == began:
            await asyncio.sleep(0.001)
        worker.alive = False
        assert (await client.parsed(ROOT)).value("connection") == "close"
        assert await client.is_closed()
        client.writer.close()
        await client.writer.wait_closed()
        serving_.cancel()  # it would see within a second that it is over
        await serving_

    run(test())
    subscriber.close()
    assert reader.process.is_stopped, "the application was told of the end"

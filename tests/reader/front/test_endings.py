"""The end of a process and of idle connections loses no request that has arrived.

Everything here is real but the fork: sockets, loops, the worker.
"""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from reader.front import worker as worker_module
from reader.front.connection import FrontConnection
from reader.front.worker import FrontWorker
from tests.builders import NOW, make_entry, tracked
from tests.reader.front.helpers import Reader, a_reader, make_head
from tests.reader.front.loopback import Client, Run, a_worker, listening, serving

ROOT = make_head("/")
INTERLEAVINGS = 1000
LATER = 1000.0  # seconds: longer than any connection may be idle


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with a_reader() as made:
        made.bench.local.put(tracked("/"), make_entry(b'"root"'), NOW)
        yield made


@pytest.fixture
def worker(reader: Reader) -> Iterator[FrontWorker]:
    with a_worker(reader) as made:
        yield made


def test_a_request_that_has_arrived_is_answered_although_its_connection_is_to_end(
    run: Run, worker: FrontWorker
) -> None:
    """The process has not read it yet when it looks at its idle connections."""

    async def test() -> None:
        async with serving(worker) as server:
            for _ in range(INTERLEAVINGS):
                async with server.client() as client:
                    assert (await client.parsed(ROOT)).status == 200
                    client.send(ROOT)
                    worker.connections.check_timeouts(worker.now + LATER)
                    assert (await client.read()).body == b'"root"'

    run(test())


def test_a_connection_whose_request_has_arrived_is_not_ended_to_make_room(
    run: Run, worker: FrontWorker
) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            await client.parsed(ROOT)
            assert [one.may_be_ended for one in server.fronts] == [True]
            client.send(ROOT)
            assert [one.may_be_ended for one in server.fronts] == [False]
            assert (await client.read()).status == 200

    run(test())


def test_a_client_that_sends_too_late_sees_an_end_and_no_reset(
    run: Run, worker: FrontWorker
) -> None:
    async def test() -> None:
        async with serving(worker) as server, server.client() as client:
            await client.parsed(ROOT)
            worker.connections.check_timeouts(worker.now + LATER)
            client.send(ROOT)
            await asyncio.sleep(0.05)
            assert await client.reader.read() == b""  # or ConnectionResetError

    run(test())


def test_a_worker_that_is_to_end_says_so_once(
    run: Run, worker: FrontWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(worker.log, "info", said.append)

    async def test() -> None:
        async with serving(worker):
            for _ in range(5):
                worker.retire()
                assert not worker.alive
            await worker.ending

    run(test())
    assert len(said) == 1


def test_connections_that_wait_in_the_kernel_are_served_and_none_after_them(
    run: Run, worker: FrontWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes before the loop has accepted them."""
    monkeypatch.setattr(worker_module, "_LAST_ACCEPTED", 60.0)  # it may be held up

    async def test() -> None:
        worker.loop = loop = asyncio.get_running_loop()
        worker.now = loop.time()
        with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
            address = listener.getsockname()
            server = await loop.create_server(lambda: FrontConnection(worker), sock=listener)
            worker.sockets, worker.servers = [listening(listener)], [server]
            clients = [socket.create_connection(address) for _ in range(100)]
            worker.handle_exit_signal()
            await worker.ending
            with pytest.raises(ConnectionRefusedError):
                await Client.open(f"http://127.0.0.1:{address[1]}")
            for one in clients:
                client = Client(*await asyncio.open_connection(sock=one))
                sent = await client.parsed(ROOT)
                assert (sent.status, sent.value("connection")) == (200, "close")
                await client.close()
            while worker.nr_conns:
                await asyncio.sleep(0.001)

    run(test())


def test_sigterm_wakes_the_main_loop_at_once(
    run: Run, worker: FrontWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_TICK", 2.0)  # the main loop alone sleeps a second
    sleep, sleeps = asyncio.sleep, asyncio.Event()

    async def long_sleep(delay: float) -> None:
        if delay == 1.0:
            sleeps.set()
        await sleep(3600 if delay == 1.0 else delay)

    monkeypatch.setattr(asyncio, "sleep", long_sleep)

    async def test() -> None:
        worker.loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            worker.sockets = [listening(listener)]
            serves = asyncio.create_task(worker._serve())
            await sleeps.wait()
            worker.handle_exit_signal()
            await serves  # or it would sleep for an hour

    run(test())

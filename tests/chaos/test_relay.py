"""The relay passes on what it should, and does what it is told to connections."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import pytest

from tests.chaos.relay import DELAY, Relay, RelayLoop


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends everything back."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    Thread(target=answer, args=(client,), daemon=True).start()

        def answer(client: socket.socket) -> None:
            with client, suppress(OSError):
                while piece := client.recv(65536):
                    client.sendall(piece)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(60)


@pytest.fixture
def relay(echo: int) -> Iterator[Relay]:
    loop = RelayLoop()
    relay = Relay(loop, echo)
    yield relay
    relay.close()
    loop.stop()


def connect(relay: Relay) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", relay.port), timeout=60)
    made.sendall(b"x")
    return made


def test_bytes_come_through_and_back(relay: Relay) -> None:
    with connect(relay) as client:
        assert client.recv(10) == b"x"


def test_cutting_resets_what_is_connected(relay: Relay) -> None:
    with connect(relay) as client:
        assert client.recv(10) == b"x"
        relay.set("cut")
        with pytest.raises(ConnectionResetError):
            client.recv(10)
    relay.set("pass")
    with connect(relay) as client:
        assert client.recv(10) == b"x"


def test_refusing_refuses_and_ends(relay: Relay) -> None:
    relay.set("refuse")
    with pytest.raises(ConnectionRefusedError):
        connect(relay)

    relay.set("pass")
    with connect(relay) as client:
        assert client.recv(10) == b"x"


def test_what_stalled_moves_on_when_it_is_healed(relay: Relay) -> None:
    with connect(relay) as client:
        assert client.recv(10) == b"x"
        relay.set("stall")
        client.sendall(b"y")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(10)
        relay.set("pass")
        client.settimeout(60)
        assert client.recv(10) == b"y"


def test_a_delay_is_waited_for_in_both_directions(relay: Relay) -> None:
    relay.set("delay")
    began = time.monotonic()
    with connect(relay) as client:
        assert client.recv(10) == b"x"
    assert time.monotonic() - began >= 2 * DELAY


def test_throttled_bytes_come_slowly_and_whole(relay: Relay) -> None:
    relay.set("throttle")
    began = time.monotonic()
    with connect(relay) as client:
        client.sendall(b"y" * 29_999)
        received = b""
        while len(received) < 30_000:
            received += client.recv(65536)
    assert received == b"x" + b"y" * 29_999
    assert time.monotonic() - began >= 0.2

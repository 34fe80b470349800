"""Connections are kept, shared by threads, and replaced if GitHub closed them."""

import socket
import ssl
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from refresher.errors import OriginError
from refresher.github.client import GitHubClient
from refresher.github.transport import Transport
from shared.clock import SYSTEM
from shared.outcomes import FailureKind
from tests.end_to_end.tls import Authority
from tests.fakegithub.client import FakeGitHub
from tests.refresher.github.raw_server import drip, raw_server, read_request
from tests.refresher.workbench import make_client, make_settings

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def serve(connection: socket.socket) -> None:
    """Respond to requests until the client closes the connection."""
    while read_request(connection):
        connection.sendall(RESPONSE)


def reset(connection: socket.socket) -> None:
    """Close a connection with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_connection_that_was_closed_meanwhile_costs_one_repetition(how: str) -> None:
    requests: list[int] = []

    def behave(connection: socket.socket, number: int) -> None:
        while read_request(connection):
            requests.append(number)
            if requests == [0, 0]:  # the second one meets a connection that is being closed
                if how == "reset":
                    reset(connection)
                return
            connection.sendall(RESPONSE)

    with raw_server(behave) as server:
        client = make_client(make_settings(f"http://{server.address}"))
        with closing(client.transport):
            assert [client.get(client.url_of("/")).status for _ in range(3)] == [200] * 3
    assert requests == [0, 0, 1, 1]


def test_the_repetition_uses_a_new_connection_though_others_are_kept() -> None:
    together, is_restarted = threading.Barrier(3), threading.Event()

    def behave(connection: socket.socket, number: int) -> None:
        while read_request(connection):
            if number < 3 and is_restarted.is_set():
                return  # closed without a response
            if number < 3:
                together.wait(60)
            connection.sendall(RESPONSE)

    with raw_server(behave) as server:
        client = make_client(make_settings(f"http://{server.address}"))
        with closing(client.transport), ThreadPoolExecutor(3) as threads:

            def get(_: int) -> int:
                return client.get(client.url_of("/")).status

            assert list(threads.map(get, range(3))) == [200] * 3
            assert server.connections == 3
            is_restarted.set()
            assert get(0) == 200
            assert server.connections == 4


def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    passed = [0.0]
    clock = replace(SYSTEM, monotonic=lambda: time.monotonic() + passed[0])
    with raw_server(lambda connection, _: serve(connection)) as server:
        client = make_client(make_settings(f"http://{server.address}"), clock=clock)
        with closing(client.transport):
            for at, connections in ((0.0, 1), (100.0, 1), (200.0, 1), (400.0, 2)):
                passed[0] = at
                assert client.get(client.url_of("/")).status == 200
                assert server.connections == connections


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-"])
def test_a_new_connection_that_is_closed_is_a_failure(sent: bytes) -> None:
    def behave(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(sent)

    with raw_server(behave) as server:
        client = make_client(make_settings(f"http://{server.address}"))
        with closing(client.transport), pytest.raises(OriginError) as failed:
            client.get(client.url_of("/"))
        assert failed.value.kind is FailureKind.CONNECTION
        assert server.connections == 1


def test_a_response_that_had_begun_is_not_requested_again() -> None:
    def behave(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(RESPONSE)
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200")
        reset(connection)

    with raw_server(behave) as server:
        client = make_client(make_settings(f"http://{server.address}"))
        with closing(client.transport):
            client.get(client.url_of("/"))
            with pytest.raises(OriginError):
                client.get(client.url_of("/"))
        assert server.connections == 1


def test_threads_share_the_connections(github: FakeGitHub) -> None:
    transport = Transport(make_settings(github.url), clock=SYSTEM)

    def get(number: int) -> tuple[int, bytes]:
        client = GitHubClient(transport, clock=SYSTEM)  # one for each refresh
        path = f"/orgs/Netflix?n={number}"
        response = client.get(client.url_of(path))
        assert response.url == github.url + path
        return response.status, response.body

    with closing(transport), ThreadPoolExecutor(8) as threads:
        responses = list(threads.map(get, range(80)))
    assert {status for status, _ in responses} == {200}
    assert len({body for _, body in responses}) == 1
    assert github.counters()["connections"] <= 8 + 1  # and that of this question


class TestTLS:
    @pytest.fixture
    def authority(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
        authority = Authority(tmp_path / "tls", "authority")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
        return authority

    @pytest.fixture
    def context(self, authority: Authority) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.server_file, authority.server_key)
        return context

    def test_many_requests_need_one_handshake(self, context: ssl.SSLContext) -> None:
        with raw_server(lambda connection, _: serve(connection), tls=context) as server:
            client = make_client(make_settings(f"https://{server.address}"))
            with closing(client.transport):
                assert [client.get(client.url_of("/")).status for _ in range(5)] == [200] * 5
            assert server.connections == 1

    def test_a_connection_that_was_closed_meanwhile_costs_one_repetition(
        self, context: ssl.SSLContext
    ) -> None:
        def behave(connection: socket.socket, number: int) -> None:
            while read_request(connection):
                connection.sendall(RESPONSE)
                if number == 0:
                    read_request(connection)
                    return

        with raw_server(behave, tls=context) as server:
            client = make_client(make_settings(f"https://{server.address}"))
            with closing(client.transport):
                assert [client.get(client.url_of("/")).status for _ in range(3)] == [200] * 3
            assert server.connections == 2

    def test_a_response_that_drips_ends_at_the_deadline(self, context: ssl.SSLContext) -> None:
        def behave(connection: socket.socket, _: int) -> None:
            read_request(connection)
            drip(connection, b"HTTP/1.1 200 " + b"O" * 10_000)

        with raw_server(behave, tls=context) as server:
            client = make_client(make_settings(f"https://{server.address}", origin_deadline=1))
            with closing(client.transport), pytest.raises(OriginError) as failed:
                client.get(client.url_of("/"))
        assert failed.value.kind is FailureKind.TIMEOUT

    def test_a_certificate_of_another_authority_is_refused(
        self, context: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = Authority(tmp_path / "other", "other")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.file))
        with raw_server(lambda connection, _: serve(connection), tls=context) as server:
            client = make_client(make_settings(f"https://{server.address}"))
            with closing(client.transport), pytest.raises(OriginError) as failed:
                client.get(client.url_of("/"))
        assert failed.value.kind is FailureKind.CONNECTION

    def test_a_certificate_of_another_host_is_refused(self, context: ssl.SSLContext) -> None:
        def behave(connection: socket.socket, _: int) -> None:
            serve(connection)

        with raw_server(behave, tls=context, host="127.0.0.2") as server:
            client = make_client(make_settings(f"https://{server.address}"))
            with closing(client.transport), pytest.raises(OriginError) as failed:
                client.get(client.url_of("/"))
        assert failed.value.kind is FailureKind.CONNECTION


class TestProxies:
    """The proxy that the environment names is used, over connections that are kept, too."""

    def test_an_http_request_goes_through_the_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        heads: list[bytes] = []

        def behave(connection: socket.socket, _: int) -> None:
            while head := read_request(connection):
                heads.append(head.partition(b"\r\n")[0])
                connection.sendall(RESPONSE)

        with raw_server(behave) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
            client = make_client(make_settings("http://github.invalid"))
            with closing(client.transport):
                for _ in range(2):
                    assert client.get(client.url_of("/orgs/x")).status == 200
            assert heads == [b"GET http://github.invalid/orgs/x HTTP/1.1"] * 2
            assert proxy.connections == 1

    @pytest.mark.parametrize("excepted", [False, True])
    def test_an_https_request_goes_through_a_tunnel(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, excepted: bool
    ) -> None:
        authority = Authority(tmp_path / "tls", "authority")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.server_file, authority.server_key)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))

        def tunnel(connection: socket.socket, _: int) -> None:
            target = read_request(connection).split()[1].decode()
            host, number = target.rsplit(":", 1)
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with socket.create_connection((host, int(number))) as far:
                back = threading.Thread(target=pump, args=(far, connection), daemon=True)
                back.start()
                pump(connection, far)

        with (
            raw_server(lambda connection, _: serve(connection), tls=context) as server,
            raw_server(tunnel) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
            monkeypatch.setenv("NO_PROXY", "127.0.0.1" if excepted else "")
            client = make_client(make_settings(f"https://{server.address}"))
            with closing(client.transport):
                for _ in range(3):
                    assert client.get(client.url_of("/")).status == 200
            assert (server.connections, proxy.connections) == (1, 0 if excepted else 1)


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy what arrives until the end."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

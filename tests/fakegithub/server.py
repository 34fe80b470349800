"""HTTP server: a thread for each connection, keep-alive, no traceback when a client leaves."""

import contextlib
import random
import socket
import socketserver
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

from tests.fakegithub import control, mutations
from tests.fakegithub.faults import Fault
from tests.fakegithub.github import GitHub
from tests.fakegithub.http_messages import (
    BadRequestError,
    HttpResponse,
    Request,
    compact_json,
    read_request,
)
from tests.fakegithub.response_writer import ResponseWriter

SEND_TIMEOUT = 600.0


class Connection(socketserver.BaseRequestHandler):
    """One client's connection, from its first request to its close."""

    server: "Server"
    request: socket.socket

    def handle(self) -> None:
        """Serve one request after the other."""
        sock, github = self.request, self.server.github
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        github.counters.add(connections=1)
        try:
            with sock.makefile("rb") as stream:
                while not self.server.stopping.is_set():
                    sock.settimeout(github.config.idle_timeout)
                    request = read_request(stream, str(self.client_address[0]))
                    sock.settimeout(SEND_TIMEOUT)
                    if request is None or not self.serve(request):
                        return
        except BadRequestError as error:
            self.refuse(str(error))
        except OSError:
            return  # the client left, or idled for too long
        finally:
            github.counters.add(connections=-1)

    def refuse(self, reason: str) -> None:
        """Send 400 for bytes that are not a request, unless the client has left."""
        body = compact_json({"message": "Bad Request", "reason": reason})
        response = HttpResponse(400, {"Content-Type": "application/json"}, body)
        writer = self.writer(response, None, threading.Event(), lambda: None)
        writer.keep_alive = False
        with contextlib.suppress(OSError):
            writer.write()

    def serve(self, request: Request) -> bool:
        """Serve one request; return whether the connection stays open."""
        if request.path.startswith("/_control/"):
            response = control.handle(self.server.github, request)
            writer = ResponseWriter(
                self.request, response, control.UNCOUNTED, lambda: None, threading.Event()
            )
            writer.keep_alive = request.keep_alive
            return writer.write()
        prefix = self.server.github.prefix
        if prefix and request.target.startswith(prefix + "/"):
            request = replace(request, target=request.target.removeprefix(prefix))
        flight = Flight(self.server.github, request)
        try:
            return self.serve_api(flight, request)
        finally:
            flight.leave()

    def serve_api(self, flight: "Flight", request: Request) -> bool:
        """Serve an API request: count it, apply its fault and delay, respond."""
        github = self.server.github
        seen = github.counters.arrived(
            request,
            credential=flight.credential,
            concurrent=flight.everybody,
            port=self.client_address[1],
        )
        found = github.faults.match(request.method, request.target, github.token(request))
        fault, released = found or (None, None)
        released = released or github.faults.cleared
        if fault:
            github.counters.fault_fired(seen, fault.kind)
        if delay := github.config.latency + (fault.delay if fault else 0):
            released.wait(delay)
        now = time.time()
        decided = github.decide(request, concurrent=flight.own, fault=fault, now=now)
        response, points = github.to_http(request, decided, fault=fault, now=now)
        hangs = fault is not None and fault.kind == "hang"
        if (paged := decided.paged) and response.status in (200, 304) and not hangs:
            github.scripts.served(github.world, (paged.path, paged.known_as), paged.page.number)
        github.counters.responded(seen, None if hangs else response.status, points=points)
        writer = self.writer(response, fault, released, flight.leave)
        writer.head_only = request.method == "HEAD"
        writer.keep_alive = request.keep_alive
        writer.chunked = github.config.chunked
        return writer.write()

    def writer(
        self,
        response: HttpResponse,
        fault: Fault | None,
        released: threading.Event,
        leave: Callable[[], None],
    ) -> ResponseWriter:
        """A writer of this connection."""
        counters = self.server.github.counters
        return ResponseWriter(self.request, response, counters, leave, released, fault)


class Flight:
    """A request in flight: counted from arrival until `leave`, which may be called twice."""

    def __init__(self, github: GitHub, request: Request) -> None:
        self.limits = github.limits
        self.credential = github.credential(request, now=time.time())
        self.own, self.everybody = self.limits.enter(self.credential)
        self.left = False

    def leave(self) -> None:
        """Stop counting the request."""
        if not self.left:
            self.left = True
            self.limits.leave(self.credential)


class Server(socketserver.ThreadingTCPServer):
    """A stand-in GitHub that listens; `start` and `stop` it from one thread."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self, github: GitHub, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.github = github
        self.stopping = threading.Event()
        self.open_sockets: set[socket.socket] = set()
        self.sockets_lock = threading.Lock()
        self.threads: list[threading.Thread] = []
        super().__init__((host, port), Connection)

    @property
    def url(self) -> str:
        """The address clients use, with the prefix, without a slash at the end."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}{self.github.prefix}"

    def start(self, *, churn: float = 0) -> None:
        """Serve in the background; every `churn` seconds one repository gets a star."""
        self.threads.append(threading.Thread(target=self.accept, daemon=True))
        if churn:
            self.threads.append(threading.Thread(target=self.churn, args=(churn,), daemon=True))
        for thread in self.threads:
            thread.start()

    def accept(self) -> None:
        """Accept connections until stopped."""
        while True:
            try:
                client, address = self.get_request()
            except OSError:
                self.stopping.wait(0.01)  # out of file descriptors: wait for some to be closed
                continue
            if self.stopping.is_set():
                client.close()
                return
            self.process_request(client, address)

    def churn(self, seconds: float) -> None:
        """Give stars until stopped, the same ones in the same order each time."""
        dice = random.Random(0)
        while not self.stopping.wait(seconds):
            mutation = mutations.next_star(self.github.world, dice)
            self.github.mutate(mutation, now=time.time())

    def stop(self) -> None:
        """Stop serving: close connections, end hanging requests."""
        self.stopping.set()
        # `accept` waits in the kernel: a connection wakes it, on any platform and at once.
        with contextlib.suppress(OSError):
            host, port = self.server_address[:2]
            socket.create_connection((str(host), port), timeout=1).close()
        for thread in self.threads:
            thread.join(60)
        self.server_close()
        self.github.faults.clear()
        with self.sockets_lock:
            for sock in self.open_sockets:
                with contextlib.suppress(OSError):  # its client may have closed it
                    sock.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 60
        while self.open_sockets and time.monotonic() < deadline:
            time.sleep(0.001)

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Serve one connection, which `stop` knows while it lasts."""
        assert isinstance(request, socket.socket)
        with self.sockets_lock:
            self.open_sockets.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.sockets_lock:
                self.open_sockets.discard(request)

    def shutdown_request(self, request: object) -> None:
        """Close a connection; after SO_LINGER 0 that is an RST, so no orderly shutdown first."""
        assert isinstance(request, socket.socket)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER) == 0:
            super().shutdown_request(request)
        else:
            request.close()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Show a bug of this server's; a client that left is not one."""
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()

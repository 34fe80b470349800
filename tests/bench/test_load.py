"""The two load generators of `make bench`, against a server of the test's own."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from bench.errors import BenchError
from bench.programs import find
from bench.steady_load import Load, SteadyLoad, Timed, keeps_up, of_window
from bench.wrk import Run, Wrk, parse
from tests.waiting import eventually

CORE = min(os.sched_getaffinity(0))


class Handler(BaseHTTPRequestHandler):
    """Answers with `ok`, but only while nobody holds the gate; remembers what was asked."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    gate = threading.Lock()
    seen: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        with self.gate:
            self.seen.append((self.path, self.headers["X-Request-Id"]))
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not in a test's output."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is none here."""


@pytest.fixture
def port() -> Iterator[int]:
    Handler.seen.clear()
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class TestSteadyLoad:
    def test_asks_as_often_as_it_should(self, port: int) -> None:
        load = Load(port, "/", rate=100, connections=4, seconds=0.5)
        with SteadyLoad(load, core=CORE) as steady:
            done = steady.result()
        assert len(done) == len(Handler.seen) == 50
        due = sorted(one.due for one in done)
        gaps = [later - earlier for earlier, later in pairwise(due)]
        assert gaps == pytest.approx([0.01] * 49, abs=1e-5)

    def test_counts_the_wait_of_requests_that_it_could_not_send(self, port: int) -> None:
        # Two connections: while the server stands still, two requests are sent, and many are due.
        load = Load(port, "/", rate=100, connections=2, seconds=1.0)
        with SteadyLoad(load, core=CORE) as steady:
            eventually(lambda: Handler.seen, every=0.005)
            with Handler.gate:
                threading.Event().wait(0.5)
            done = steady.result()
        assert len(done) == 100
        assert sum(one.took > 0.2 for one in done) >= 20

    def test_stops_when_told(self, port: int) -> None:
        with SteadyLoad(Load(port, "/", rate=50, connections=2), core=CORE) as steady:
            eventually(lambda: len(Handler.seen) >= 5, every=0.005)
            done = steady.stop()
        assert 5 <= len(done) == len(Handler.seen)

    def test_refuses_an_error(self, port: int) -> None:
        load = Load(port, "/broken", rate=50, connections=2, seconds=0.2)
        with (
            SteadyLoad(load, core=CORE) as steady,
            pytest.raises(BenchError, match="unexpected response: status 500"),
        ):
            steady.result()

    def test_cuts_out_a_window(self) -> None:
        done = [Timed(due=float(second), took=0, noticed=0) for second in range(5)]
        assert [one.due for one in of_window(done, 1, 3)] == [1, 2]

    def test_tells_a_server_that_falls_behind(self) -> None:
        def took(seconds: list[float]) -> list[Timed]:
            return [Timed(float(at), one, 0) for at, one in enumerate(seconds)]

        assert keeps_up(took([0.001] * 50))
        assert keeps_up(took([0.001] * 20 + [0.9] * 10 + [0.001] * 20))
        assert not keeps_up(took([0.02 * at for at in range(50)]))


class TestWrk:
    def test_its_result_is_read_from_what_the_script_prints(self) -> None:
        output = (
            "Running 1s test @ http://127.0.0.1\n  1 threads and 64 connections\n\n"
            'RESULT {"requests": 1200, "microseconds": 1500000, "bytes": 36000, "errors": 2}\n'
        )
        assert parse(output) == Run(requests=1200, seconds=1.5, transferred=36000, errors=2)

    def test_without_a_result_there_is_none(self) -> None:
        assert parse("unable to connect to 127.0.0.1:1 Connection refused\n") is None

    @pytest.fixture
    def wrk(self, tmp_path: Path) -> Wrk:
        program = find("wrk")
        if program is None:
            pytest.skip("there is no wrk here")
        return Wrk(program, tmp_path, CORE, connections=2)

    def test_counts_requests(self, wrk: Wrk, port: int) -> None:
        run = wrk.run(f"http://127.0.0.1:{port}/", {"X-Request-Id": "same"}, seconds=1)
        assert 0 < run.requests <= len(Handler.seen)
        assert run.seconds >= 0.9
        assert {name for _, name in Handler.seen} == {"same"}

    def test_varied_requests_all_differ(self, wrk: Wrk, port: int) -> None:
        wrk.run(f"http://127.0.0.1:{port}/", {}, seconds=1, varied=True)
        names = [name for _, name in Handler.seen]
        assert None not in names
        assert len(set(names)) == len(names)

    def test_refuses_errors(self, wrk: Wrk, port: int) -> None:
        with pytest.raises(BenchError, match="errors"):
            wrk.run(f"http://127.0.0.1:{port}/broken", {}, seconds=1)

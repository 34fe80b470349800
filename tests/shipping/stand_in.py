"""A server that stands in for a reader before a health check or a balancer."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HANG_UP = 0


@contextmanager
def a_server(asked: list[str] | None = None, **statuses: int) -> Iterator[int]:
    """Something on a port that answers `/name` with the status of that name, and else with 500.

    An answer's body has the request's header fields, as JSON.

    Args:
        asked: where the methods of requests are put that get no answer.
        statuses: by name; HANG_UP closes the connection without an answer.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if statuses.get(self.path.strip("/")) == HANG_UP:
                assert asked is not None
                asked.append(self.command)
                self.close_connection = True
                return
            sent = {name.title(): value for name, value in self.headers.items()}
            body = json.dumps(sent).encode()
            self.send_response(statuses.get(self.path.strip("/"), 500))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # who looks after health reads no further
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()

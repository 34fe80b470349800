"""A HAProxy before readers, as `deploy/haproxy` has it but quicker to notice things."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.debian import find
from scripts.embedded_redis import free_port
from tests.end_to_end.fleet import Reader, Running
from tests.http_client import Connection
from tests.waiting import eventually

# A request is sent to another reader where the first one has not even begun to answer it.
CONFIGURATION = """
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  option redispatch
  retries 3
  retry-on conn-failure empty-response
frontend clients
  bind 127.0.0.1:{port}
  default_backend readers
backend readers
  balance roundrobin
  option httpchk GET /healthcheck
  http-check expect status 200
  default-server check inter 200ms fall 1 rise 1
{servers}
"""


@contextmanager
def haproxy(
    folder: Path, readers: Sequence[Reader], *, configuration: str = CONFIGURATION
) -> Iterator[str]:
    """URL of a HAProxy that goes on for the block; skips the test where there is none.

    Args:
        folder: for its configuration and log.
        configuration: with places for `port` and `servers`.
        readers: that share what comes; whoever listens on their ports later takes their place.
    """
    program = find("haproxy")
    if program is None:
        pytest.skip("NO BALANCER IS TESTED HERE: HAProxy is not installed; Debian has it")
    addresses = [reader.url.removeprefix("http://") for reader in readers]
    servers = "\n".join(f"  server reader-{at} {one}" for at, one in enumerate(addresses))
    port, file = free_port(), folder / "haproxy.cfg"
    file.write_text(configuration.format(port=port, servers=servers))
    command = [str(program), "-db", "-f", str(file)]
    running = Running(command, dict(os.environ), folder / "haproxy.log")
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: _answers(url), what="HAProxy answers")
        yield url
    finally:
        running.stop()


def _answers(url: str) -> bool:
    try:
        with Connection(url) as connection:
            return connection.ask("/livez").status == 200
    except OSError:
        return False

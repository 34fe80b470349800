"""HAProxy in front of readers, as in `deploy/haproxy` but with shorter check intervals."""

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

# A request is sent to another reader if the first one has not begun to respond.
CONFIGURATION = """
defaults
  mode http
  timeout connect 1s
  timeout check 5s
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
    """Run HAProxy for the block, and give its URL; skip the test if HAProxy is not installed.

    Args:
        folder: for its configuration and log.
        configuration: HAProxy's, with the placeholders `{port}` and `{servers}`.
        readers: they share the requests; one that later listens on the same port replaces it.
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


def has_answered(reader: Reader, number: int) -> bool:
    """Whether a reader has answered so many requests for an organisation."""
    lines = reader.get("/metrics").text.splitlines()
    found = (line for line in lines if 'route="/orgs/{org}"' in line and "requests_total" in line)
    return sum(float(line.rpartition(" ")[2]) for line in found) >= number

"""A stand-in GitHub for timing: `python -m bench.misses.origin`.

It is one event loop with timers, because a thread for each of 100 waiting requests would cost the
machine more than the caches that are compared. It serves the small objects of `small_bodies` and
one organisation with a large list, with `ETag`, 304, `Link` and limits in GitHub's form, and logs
when each request arrived and when its response left.

Control requests, which have no delay and are not logged:

- `/_control/log`: the log since the last call, and counts (see `Log`);
- `/_control/delay?seconds=0.2`: the time from each request to its response;
- `/_control/change`: one more star for a repository of the list.
"""

import argparse
import asyncio
import gc
import gzip
import hashlib
import json
import re
import ssl
import sys
import time
from dataclasses import asdict, dataclass, field
from email.utils import formatdate
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qs, urlsplit

from bench.misses.large_list import Organisation
from bench.misses.small_bodies import body_of

_CONTROL: Final = "/_control/"
_LIMIT: Final = 10_000_000  # requests in an hour: no cache meets it
_FAST: Final = 1  # gzip's quickest level
_IF_NONE_MATCH: Final = re.compile(rb"\r\nif-none-match:[ \t]*([^\r]*)", re.IGNORECASE)
_GZIP: Final = re.compile(rb"\r\naccept-encoding:[^\r]*gzip", re.IGNORECASE)
_CLOSE: Final = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_HOST: Final = re.compile(rb"\r\nhost:[ \t]*([^\r]*)", re.IGNORECASE)
_STATUS_LINES: Final = {200: "200 OK", 304: "304 Not Modified", 404: "404 Not Found"}
_BACKLOG: Final = 1024


@dataclass
class Log:
    """What arrived since the last reading.

    Args:
        requests: target, arrival and departure by the monotonic clock in seconds, and status.
        connections: opened since the last reading, on either port.
        handshakes: TLS handshakes among them.
        most_at_once: the most requests that waited for their responses at the same time.
    """

    requests: list[tuple[str, float, float, int]] = field(default_factory=list)
    connections: int = 0
    handshakes: int = 0
    most_at_once: int = 0


class Origin:
    """The server's state.

    Args:
        organisation: with the large list.
        delay: seconds from a request to its response.
    """

    def __init__(self, organisation: Organisation, delay: float) -> None:
        self.delay = delay
        self.log = Log()
        self.waiting = 0
        self._organisation = organisation
        self._used = 0

    def arrived(self) -> None:
        """Count a request that waits for its response from now on."""
        self.waiting += 1
        self.log.most_at_once = max(self.log.most_at_once, self.waiting)

    def left(self, target: str, arrived: float, status: int) -> None:
        """Log a response."""
        self.waiting -= 1
        self.log.requests.append((target, arrived, time.monotonic(), status))

    def control(self, target: str) -> bytes:
        """Perform a control request; return the body of its response."""
        parts = urlsplit(target)
        match parts.path.removeprefix(_CONTROL):
            case "log":
                found, self.log = self.log, Log(most_at_once=self.waiting)
                return json.dumps(asdict(found)).encode()
            case "delay":
                self.delay = float(parse_qs(parts.query)["seconds"][0])
            case "change":
                self._organisation.change()
        return b"{}"

    def response(self, target: str, head: bytes, *, scheme: str) -> tuple[int, bytes]:
        """Status, and the bytes of the response as they are now."""
        body, link = body_of(target), None
        if body is None:
            host = _HOST.search(head)
            base = f"{scheme}://{host[1].decode('latin-1') if host else ''}"
            body, link = self._organisation.response(target, base) or (None, None)
        if body is None:
            return 404, self._message(404, b'{"message":"Not Found"}', {})
        tag = f'W/"{_digest(body)}"'
        fields = {"ETag": tag} if link is None else {"ETag": tag, "Link": link}
        known = _IF_NONE_MATCH.search(head)
        if known and _digest(body).encode() in known[1]:
            fields.pop("Link", None)
            return 304, self._message(304, b"", fields)
        if _GZIP.search(head):
            return 200, self._message(200, _gzipped(body), {**fields, "Content-Encoding": "gzip"})
        return 200, self._message(200, body, fields)

    def _message(self, status: int, body: bytes, fields: dict[str, str]) -> bytes:
        self._used += 1
        now = time.time()
        fields = {
            "Server": "github.com",
            "Date": formatdate(now, usegmt=True),
            "Cache-Control": "public, max-age=60, s-maxage=60",
            "Vary": "Accept, Accept-Encoding, Accept, X-Requested-With",
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Request-Id": f"0400:{self._used:X}",
            "X-RateLimit-Limit": str(_LIMIT),
            "X-RateLimit-Remaining": str(_LIMIT - self._used),
            "X-RateLimit-Used": str(self._used),
            "X-RateLimit-Reset": str(int(now) + 3600),
            "X-RateLimit-Resource": "core",
            **fields,
        }
        if status != 304:
            fields["Content-Type"] = "application/json; charset=utf-8"
            fields["Content-Length"] = str(len(body))
        lines = (f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {_STATUS_LINES[status]}\r\n{''.join(lines)}\r\n".encode("latin-1") + body


class Connection(asyncio.Protocol):
    """One connection: its requests have no bodies, and each waits for the response before it."""

    def __init__(self, origin: Origin, *, scheme: str) -> None:
        self._origin = origin
        self._scheme = scheme
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection: with TLS, its handshake is done."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._origin.log.connections += 1
        self._origin.log.handshakes += self._scheme == "https"

    def data_received(self, data: bytes) -> None:
        """Start the delay of each request that is complete."""
        arrived = time.monotonic()
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            target = head.split(b" ", 2)[1].decode("latin-1")
            if target.startswith(_CONTROL):
                self._send(self._origin_control(target))
                continue
            self._origin.arrived()
            loop = asyncio.get_running_loop()
            loop.call_later(self._origin.delay, self._respond, target, head, arrived)

    def _origin_control(self, target: str) -> bytes:
        body = self._origin.control(target)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    def _respond(self, target: str, head: bytes, arrived: float) -> None:
        status, message = self._origin.response(target, head, scheme=self._scheme)
        self._origin.left(target, arrived, status)
        self._send(message)
        if _CLOSE.search(head) and self._transport is not None:
            self._transport.close()

    def _send(self, message: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(message)


@lru_cache(maxsize=4096)
def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@lru_cache(maxsize=256)
def _gzipped(body: bytes) -> bytes:
    return gzip.compress(body, _FAST, mtime=0)


async def serve(origin: Origin, *, certificate: str | None, key: str | None) -> None:
    """Serve until the end of standard input; print the ports in use.

    Args:
        certificate: file of the server's certificate, for a second port with TLS; None for none.
        key: file of its key.
    """
    loop = asyncio.get_running_loop()
    secure = None
    if certificate is not None:
        secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secure.load_cert_chain(certificate, key)
    ports = []
    for scheme, context in (("http", None), ("https", secure)):
        if scheme == "https" and context is None:
            continue
        server = await loop.create_server(
            lambda scheme=scheme: Connection(origin, scheme=scheme),
            "127.0.0.1", 0, ssl=context, backlog=_BACKLOG,
        )  # fmt: skip
        ports.append(server.sockets[0].getsockname()[1])
    print(*ports, flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


def main() -> None:
    """Serve until the process that started this one closes its end of standard input."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repositories", type=int, default=7000, help="of the large list")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each response")
    parser.add_argument("--certificate", help="file, PEM: listen with TLS as well")
    parser.add_argument("--key", help="file, PEM: of the certificate")
    options = parser.parse_args()
    origin = Origin(Organisation(options.repositories), options.delay)
    gc.freeze()
    gc.disable()  # a collection would delay a response
    asyncio.run(serve(origin, certificate=options.certificate, key=options.key))


if __name__ == "__main__":
    main()

"""Requests as bytes, what gunicorn makes of them, and a reader without Redis or threads."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any

from flask import Flask
from gunicorn.asgi.parser import CallbackRequest, ParseError, PythonProtocol

from reader.app import create_app
from reader.cache.mounted_entries import MountedEntries
from reader.cache.segment_memory import SegmentMemory
from reader.cache.subscriber import Subscriber
from reader.changes.feed import ChangeFeed
from reader.changes.places import Places
from reader.fleet.budget_watch import BudgetWatch
from reader.fleet.hold_journal import HoldJournal
from reader.fleet.snapshot import FleetWatch
from reader.front.rendered_responses import RenderedResponses, SerializedResponse, Sources
from reader.process import Components, ReaderProcess
from reader.response.client_url import Peer
from reader.response.rate_limits import RateLimits
from reader.response.rewriting import Rewriting, origins_of
from reader.telemetry.counters import LocalCounters
from reader.temporary_files import TemporaryFiles
from reader.webhooks.receiver import Webhooks
from shared.clock import SYSTEM
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis.trouble import Troubles
from shared.settings import Settings
from tests.builders import absent_redis, make_settings
from tests.reader.bench import Bench

# As gunicorn.conf.py sets them; `test_head` compares.
LIMITS = {
    "limit_request_line": 4094,
    "limit_request_fields": 100,
    "limit_request_field_size": 8190,
}
END = b"\r\n\r\n"


def make_head(target: str = "/", *fields: str, method: str = "GET", host: str = "a.test") -> bytes:
    """A request as clients write it."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


@dataclass(frozen=True)
class Parsed:
    """A request as gunicorn's own parser understands it."""

    method: str
    target: str
    version: tuple[int, int]
    fields: Sequence[tuple[str, str]]
    closes: bool
    has_body: bool

    def values(self, name: str) -> list[str]:
        """All values of a field, by its name in lower case."""
        return [value for known, value in self.fields if known == name]

    def value(self, name: str) -> str | None:
        """The value of a field that stands there once; None where it is absent."""
        values = self.values(name)
        assert len(values) <= 1, name
        return values[0] if values else None


def gunicorn_reads(data: bytes) -> Parsed | None:
    """What gunicorn makes of bytes that should be one head; None where it refuses them.

    Also where it waits for more, or takes some of them for another request.
    """
    heads: list[None] = []
    parser = PythonProtocol(on_headers_complete=lambda: heads.append(None), **LIMITS)
    try:
        parser.feed(data)
        if not heads:
            return None
        request = CallbackRequest.from_parser(parser)
    except ParseError:
        return None
    has_body = bool(parser.is_chunked or parser.content_length)
    if parser.remaining():
        return None
    return Parsed(
        method=request.method,
        target=request.uri,
        version=request.version,
        fields=[(n.decode("latin-1"), v.decode("latin-1")) for n, v in request.headers_bytes],
        closes=request.should_close(),
        has_body=has_body,
    )


@dataclass
class Reader:
    """The components of one reader process, none of which runs: tests drive them."""

    process: "StillProcess"
    bench: Bench

    @cached_property
    def app(self) -> Flask:
        """The process's Flask application."""
        return create_app(self.process.settings, process=self.process)

    def responses(self, *, scheme: str = "http", trusted: bool = False) -> RenderedResponses:
        """The front's answers, of what this process holds."""
        return RenderedResponses(
            Sources(
                self.process.catalogue,
                self.bench.lookup,
                self.process.still.mounts,
                self.process.still.limits,
            ),
            clock=self.bench.clock,
            local_counters=LocalCounters(),
            new_id=lambda: b"an-id",
            peer=Peer(scheme, trusted),
        )


class StillProcess(ReaderProcess):
    """A reader process whose components a test has made, and whose threads do not run."""

    def __init__(self, settings: Settings, bench: Bench) -> None:
        own = replace(SYSTEM, now=bench.clock)
        super().__init__(settings, own_clock=own, stopwatch=bench.stopwatch)
        redis, queue = bench.redis, RefreshQueue(bench.redis, QueueLimits(queued=10))
        self.is_stopped = False
        limits = RateLimits(reserve=settings.budget_reserve, clock=bench.clock)
        self.still = Components(
            pid=os.getpid(),
            redis=redis,
            queue=queue,
            local=bench.local,
            lookup=bench.lookup,
            mounts=MountedEntries(
                Rewriting(origins_of(settings.github_api_url)),
                max_bytes=settings.local_max_bytes,
                clock=SYSTEM,
            ),
            pieces=SegmentMemory(None, clock=SYSTEM),
            synchronizer=bench.synchronizer,
            subscriber=Subscriber(redis, catalogue=self.catalogue, synchronizer=bench.synchronizer),
            telemetry=bench.telemetry,
            reporter=bench.reporter,
            webhooks=Webhooks(redis, queue, self.catalogue, settings.webhook_secrets, remember=60),
            fleet=FleetWatch(redis, self.catalogue, clock=bench.clock),
            budget_watch=BudgetWatch(redis, limits, clock=bench.clock),
            holds=HoldJournal(redis, lambda: None, clock=bench.clock),
            changes=ChangeFeed(
                redis, catalogue=self.catalogue, local=bench.local, clock=bench.clock
            ),
            files=TemporaryFiles(SYSTEM),
            places=Places(self.settings.changes_followers, self.settings.client_max_followers),
            withdrawals=bench.store.withdrawals,
            troubles=Troubles(logging.getLogger("reader"), SYSTEM),
        )

    def start(self) -> Components:
        return self.still

    def stop(self) -> None:
        self.is_stopped = True


@contextmanager
def a_reader(*, log_share: float = 0, **known: Any) -> Iterator[Reader]:
    """A reader of `CATALOGUE`, whose Redis is away and whose clock stands still."""
    bench = Bench(
        absent_redis(),
        max_bytes=known.get("local_max_bytes", 10_000_000),
        miss_wait=0.01,
        log_share=log_share,
        stopwatch=perf_counter,
    )
    settings = make_settings(orgs="Netflix,Google", **known)
    process = StillProcess(settings, bench)
    yield Reader(process, bench)


@dataclass(frozen=True)
class Sent:
    """An answer, taken apart; without what belongs to the server and not to the answer."""

    status: int
    fields: Sequence[tuple[str, str]]
    body: bytes

    def value(self, name: str) -> str | None:
        """The value of a field, by its name in lower case."""
        return dict(self.fields).get(name)


_OF_THE_SERVER = frozenset({"connection", "date", "server", "x-request-id", "x-github-request-id"})


def without_the_servers(fields: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Fields with their names in lower case, but for those that a server adds to every answer."""
    lowered = [(name.lower(), value) for name, value in fields]
    return [(name, value) for name, value in lowered if name not in _OF_THE_SERVER]


def head_of(serialized: SerializedResponse) -> bytes:
    """The head of a rendered answer as it is sent, with a small body behind it."""
    return serialized.head_with(b"an-id")


def fields_of(serialized: SerializedResponse) -> list[tuple[str, str]]:
    """All fields of a rendered answer, with their names as they are sent."""
    lines = head_of(serialized).partition(END)[0].decode("latin-1").split("\r\n")[1:]
    pairs = [line.partition(": ") for line in lines]
    assert all(colon for _, colon, _ in pairs)
    return [(name, value) for name, _, value in pairs]


def sent_of(serialized: SerializedResponse) -> Sent:
    """A rendered answer as a client reads it."""
    head, _, joined = head_of(serialized).partition(END)
    version, status, _ = head.decode("latin-1").split("\r\n")[0].split(" ", 2)
    assert version == "HTTP/1.1"
    body = joined + bytes(serialized.body)
    return Sent(int(status), without_the_servers(fields_of(serialized)), body)

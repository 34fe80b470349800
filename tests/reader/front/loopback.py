"""A real worker of ours on a real loop and a real socket; only the fork is left out."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from flask import Flask
from gunicorn.config import Config

from reader.front.connection import FrontConnection
from reader.front.worker import FrontWorker
from tests.http_client import AsyncConnection
from tests.reader.front.helpers import LIMITS, Reader, Sent, without_the_servers

if TYPE_CHECKING:
    from reader.asgi import Application

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
PATIENCE = 60.0  # seconds before a test that hangs fails


class Run:
    """Runs a test's coroutine on a loop of one kind."""

    def __init__(self, make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._make_loop = make_loop

    def __call__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=self._make_loop) as runner:
            runner.run(asyncio.wait_for(coroutine, PATIENCE))


@contextmanager
def an_application(app: Flask) -> "Iterator[Application]":
    """The ASGI application of a Flask application; ends its threads."""
    with pytest.MonkeyPatch.context() as patch:
        # The module makes an application of the environment's settings when it is imported.
        patch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        from reader.asgi import Application  # noqa: PLC0415
    made = Application(app)
    yield made
    made._flask.executor.shutdown()


@dataclass
class Log:
    """gunicorn's log, of which nobody reads anything but errors."""

    access_log_enabled: bool = False
    errors: list[str] = field(default_factory=list)

    def info(self, *_: Any) -> None:
        """Nothing."""

    debug = info

    def error(self, message: str, *arguments: Any) -> None:
        """Keep it for the test."""
        self.errors.append(message % arguments)

    def exception(self, message: str, *arguments: Any) -> None:
        """Nothing may fail."""
        self.error(message, *arguments)

    warning = exception


@contextmanager
def a_worker(reader: Reader, **settings: Any) -> Iterator[FrontWorker]:
    """A worker that serves a reader, configured as gunicorn.conf.py does; nothing may fail."""
    config = Config()
    known = {
        **LIMITS,
        "asgi_lifespan": "on",
        "forwarded_allow_ips": "",
        "http_parser": "python",
        "keepalive": 75,
        "secure_scheme_headers": {},
        **settings,
    }
    for name, value in known.items():
        config.set(name, value)
    log = Log()
    with an_application(reader.app) as application:
        app = SimpleNamespace(wsgi=lambda: application)
        worker = FrontWorker(1, os.getppid(), [], app, 30, config, log)
        worker.load_wsgi()
        worker.threads = application._flask.executor
        yield worker
    worker.tmp.close()
    assert log.errors == []
    assert worker.nr_conns == len(worker.connections) == 0


class Client(AsyncConnection):
    """A client's end of a connection."""

    async def read(self, *, is_head: bool = False) -> Sent:
        """The next response, with all of its body."""
        response = await self.receive(method="HEAD" if is_head else "GET")
        return Sent(response.status, list(response.headers.items()), response.body)

    async def parsed(self, data: bytes, *, is_head: bool = False) -> Sent:
        """Send a request and wait for its response."""
        self.send(data)
        return await self.read(is_head=is_head)


def content(sent: Sent) -> Sent:
    """An answer without what belongs to the server."""
    return Sent(sent.status, without_the_servers(sent.fields), sent.body)


@dataclass
class Server:
    """What serves, and how to reach it."""

    worker: FrontWorker
    port: int
    fronts: list[FrontConnection] = field(default_factory=list)

    @asynccontextmanager
    async def client(self, **known: Any) -> AsyncIterator[Client]:
        """A client connects; returns its end."""
        client = await Client.open(f"http://127.0.0.1:{self.port}", **known)
        try:
            yield client
        finally:
            await client.close()

    async def let_all_go(self) -> None:
        """Wait until every connection is gone."""
        while self.worker.nr_conns:
            await asyncio.sleep(0.001)


async def let_the_application_end() -> None:
    """Wait for its threads: they would wait for ever for a loop that is closed."""
    while any(
        labels in repr(task.get_coro())
        for task in asyncio.all_tasks()
        for labels in ("WSGI", "_handle_http_request")
    ):
        await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(worker: FrontWorker) -> AsyncIterator[Server]:
    """Serves on the running loop, for as long as it lasts; no time passes for the connections."""
    worker.loop = loop = asyncio.get_running_loop()
    worker.now = loop.time()
    server = Server(worker, 0)

    def front() -> FrontConnection:
        server.fronts.append(FrontConnection(worker))
        return server.fronts[-1]

    subscriber = await loop.create_server(front, "127.0.0.1", 0)
    server.port = subscriber.sockets[0].getsockname()[1]
    try:
        yield server
        await server.let_all_go()
    finally:
        await let_the_application_end()
        for made in server.fronts:
            made.abort()
        subscriber.close()
        await subscriber.wait_closed()


def listening(sock: Any) -> Any:
    """A socket as gunicorn holds it."""
    return SimpleNamespace(sock=sock, close=sock.close)

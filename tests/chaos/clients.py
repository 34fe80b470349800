"""A steady load on the readers, which notes each response."""

import hashlib
import json
import random
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from threading import Event, Thread
from typing import Any, Final

import psutil

from shared.encodings import ENCODINGS
from tests.chaos.history import REPOS, Answer, Facts, History, Item, Times
from tests.chaos.world import World
from tests.http_client import Connection, Response, request

_PAUSE: Final = 0.05  # seconds between a response and the next request
_PATIENCE: Final = 30.0  # seconds for a response
_ENCODINGS: Final = ("identity", *ENCODINGS)


class Client:
    """One client: keeps a connection for some dozens of requests, then opens another.

    Args:
        number: of its reader.
        url: of its reader.
        processes: returns the reader's processes.
        world: knows what to request, and what responses show.
        history: takes the responses.
        dice: the client's own.
    """

    def __init__(
        self,
        number: int,
        url: str,
        *,
        processes: Callable[[], list[psutil.Process]],
        world: World,
        history: History,
        dice: random.Random,
    ) -> None:
        self._number, self._url, self._processes = number, url, processes
        self._world, self._history, self._dice = world, history, dice
        self._tags: dict[str, str] = {}
        self._connection: Connection | None = None
        self._pid: int | None = None
        self._left = 0
        self._ends = Event()
        self._thread = Thread(target=self._run, name="client")

    def start(self) -> None:
        """Begin to send requests."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more requests."""
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        names, weights = zip(*self._world.paths, strict=True)
        while not self._ends.wait(_PAUSE):
            path = self._dice.choices(names, weights)[0]
            try:
                self._ask(path)
            except Exception as error:  # a malformed or wrong response
                self._history.errors.append(f"{path}: {error!r}")
                self._hang_up()
        self._hang_up()

    def _ask(self, path: str) -> None:
        fields = {"Accept-Encoding": self._dice.choice(_ENCODINGS)}
        if path in self._tags and self._dice.random() < 0.3:
            fields["If-None-Match"] = self._tags[path]
        began = time.time()
        try:
            connection = self._connected()
            connection.send(request(path, **fields))
            received = connection.receive()
        except OSError as error:
            self._note(path, began, None, note=repr(error)[:80])
            self._hang_up()
            return
        ended = time.time()
        if self._pid is None:
            self._pid = self._owner(connection)
        self._take(path, began, ended, received)
        self._left -= 1
        if received.closes or self._left <= 0:
            self._hang_up()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(self._url, timeout=_PATIENCE)
            self._pid, self._left = None, self._dice.randint(20, 60)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _owner(self, connection: Connection) -> int | None:
        """The process at the other end: no response names it."""
        port = connection.socket.getsockname()[1]
        for process in self._processes():
            try:
                if any(one.raddr and one.raddr.port == port for one in process.net_connections()):
                    return process.pid
            except psutil.Error:
                continue
        return None

    def _take(self, path: str, began: float, ended: float, received: Response) -> None:
        etag, body = received.headers.get("etag", ""), received.body
        digest = hashlib.sha256(body).hexdigest()[:16]
        if received.status == 200:
            self._tags[path] = etag
            if (path, etag) not in self._history.facts:
                self._history.facts[path, etag] = self._facts(path, received)
        note = received.headers.get("cache-status", "")
        if received.status >= 500:
            note = body[:120].decode(errors="replace")
        answer = Answer(
            self._number, self._pid, path, began, ended, received.status, etag, digest, note,
            times_of(received.headers),
        )  # fmt: skip
        self._history.answered(answer)

    def _note(self, path: str, began: float, status: int | None, *, note: str) -> None:
        answer = Answer(self._number, self._pid, path, began, time.time(), status, note=note)
        self._history.answered(answer)

    def _facts(self, path: str, received: Response) -> Facts:
        plain = received.content
        value = received.json
        is_view, is_list = path.startswith("/view/"), path.startswith(REPOS)
        return Facts(
            plain=hashlib.sha256(plain).hexdigest()[:16],
            marks=dict(self._world.marks_of(path, value)),
            items=tuple(map(item_of, value)) if is_list else (),
            view=tuple((str(name), int(number)) for name, number in value) if is_view else (),
        )


def times_of(headers: Mapping[str, str]) -> Times:
    """What header fields say of time."""
    date, modified = (_time_of(headers.get(name, "")) for name in ("date", "last-modified"))
    return Times(date, modified, headers.get("age", ""))


def _time_of(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except ValueError:
        return None


def item_of(value: dict[str, Any]) -> Item:
    """A repository as checkers need it."""
    digest = hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
    return Item(digest, value["full_name"], value["stargazers_count"], value["forks_count"])

"""A steady load on the readers, which notes each answer, and the world that changes meanwhile."""

import gzip
import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Any, Final

import brotli
import psutil

from tests.chaos.history import MEMBERS, ORG, REPOS, Answer, Facts, History, Item, Published
from tests.end_to_end.raw_http import Closed, Connection, Received, request
from tests.fakegithub.client import Controls

_PAUSE: Final = 0.05  # seconds between an answer and the next request
_PATIENCE: Final = 15.0  # seconds for an answer
_FIRST, _LAST = 10_000_000, 20_000_000  # stars of the marked repositories, to which they add
_ENCODINGS: Final = ("identity", "gzip", "br")


class World:
    """GitHub's content, changed all the time; each change carries a generation that shows.

    Two repositories, at either end of the list, have it in their stars, the organisation in its
    description, the members in the name of the last who joined.
    """

    def __init__(self, github: Controls, history: History, *, seed: int, every: float) -> None:
        self._github, self._history, self._every = github, history, every
        self._dice = random.Random(seed)
        repos = github.repos()
        self.first, self.last = repos[0]["name"], repos[-1]["name"]
        self._others: list[str] = []
        self._ends = Event()
        self._thread = Thread(target=self._run, name="world")

    def start(self) -> None:
        """Make the first generation, and go on in a thread."""
        self._step(0)
        self._thread.start()

    def stop(self) -> None:
        """Leave it as it is."""
        self._ends.set()
        self._thread.join()

    @property
    def paths(self) -> list[tuple[str, int]]:
        """What is asked for, and how often."""
        return [
            ("/", 1), (ORG, 3), (MEMBERS, 2), (REPOS, 2), ("/view/top/2/stars", 5),
            ("/view/bottom/3/forks", 1), (f"{REPOS}?per_page=100&page=1", 1),
            (f"{REPOS}?per_page=30&page=4", 2), (f"/repos/Netflix/{self.first}", 3),
        ]  # fmt: skip

    def marks_of(self, path: str, value: Any) -> Iterator[tuple[str, int]]:
        """The generations in a body, by mark."""
        if path == ORG:
            number = (value["description"] or "").removeprefix("generation ")
            yield "description", int(number) if number.isdigit() else -1
        elif path == MEMBERS:
            logins = [one["login"] for one in value if one["login"].startswith("generation-")]
            yield "members", max((int(one.rpartition("-")[2]) for one in logins), default=-1)
        elif path.startswith("/view/top"):
            for name, stars in value:
                yield from self._mark(name.partition("/")[2], stars)
        elif path.startswith((REPOS, "/repos/")):
            for one in value if isinstance(value, list) else [value]:
                yield from self._mark(one["name"], one["stargazers_count"])

    def _mark(self, name: str, stars: int) -> Iterator[tuple[str, int]]:
        if name == self.first:
            yield "first", max(-1, stars - _FIRST)
        elif name == self.last:
            yield "last", max(-1, stars - _LAST)

    def _run(self) -> None:
        number = 0
        while not self._ends.wait(self._every):
            number += 1
            try:
                self._step(number)
            except OSError as error:
                self._history.errors.append(f"the stand-in GitHub: {error!r}")

    def _step(self, number: int) -> None:
        mutate = self._github.mutate
        mutate("edit_repo", repo=self.first, stars=_FIRST + number)
        self._publish("first", number)
        mutate("edit_repo", repo=self.last, stars=_LAST + number)
        self._publish("last", number)
        mutate("edit_org", description=f"generation {number}")
        self._publish("description", number)
        if number % 4 == 0:
            mutate("add_member", login=f"generation-{number}")
            self._publish("members", number)
        if number % 5 == 0:
            self._move()

    def _move(self) -> None:
        """Items move from page to page."""
        if len(self._others) > 3 and self._dice.random() < 0.6:
            self._github.mutate("delete", repo=self._others.pop(0))
        else:
            self._others.append(str(self._github.mutate("add")["name"]))

    def _publish(self, mark: str, number: int) -> None:
        self._history.published.append(Published(mark, number, time.time()))


class Client:
    """One client: keeps a connection for some dozens of requests, then takes another.

    Args:
        number: of the reader that it asks.
        url: of the reader.
        processes: gives the reader's processes.
        world: knows what to ask for, and what is in the answers.
        history: where answers are noted.
        dice: its own.
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
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        names, weights = zip(*self._world.paths, strict=True)
        while not self._ends.wait(_PAUSE):
            path = self._dice.choices(names, weights)[0]
            try:
                self._ask(path)
            except Exception as error:  # an answer that is not what it should be
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
        except (OSError, Closed) as error:
            self._note(path, began, None, note=repr(error)[:80])
            self._hang_up()
            return
        ended = time.time()
        if self._pid is None:
            self._pid = self._owner(connection)
        self._take(path, began, ended, received)
        self._left -= 1
        if received.headers.get("connection") == "close" or self._left <= 0:
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
        """The process at the other end: none of its answers says which it is."""
        port = connection.socket.getsockname()[1]
        for process in self._processes():
            try:
                if any(one.raddr and one.raddr.port == port for one in process.net_connections()):
                    return process.pid
            except psutil.Error:
                continue
        return None

    def _take(self, path: str, began: float, ended: float, received: Received) -> None:
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
            self._number, self._pid, path, began, ended, received.status, etag, digest, note
        )
        self._history.answered(answer)

    def _note(self, path: str, began: float, status: int | None, *, note: str) -> None:
        answer = Answer(self._number, self._pid, path, began, time.time(), status, note=note)
        self._history.answered(answer)

    def _facts(self, path: str, received: Received) -> Facts:
        plain = decoded(received)
        value = json.loads(plain)
        is_view, is_list = path.startswith("/view/"), path.startswith(REPOS)
        return Facts(
            plain=hashlib.sha256(plain).hexdigest()[:16],
            marks=dict(self._world.marks_of(path, value)),
            items=tuple(map(item_of, value)) if is_list else (),
            view=tuple((str(name), int(number)) for name, number in value) if is_view else (),
        )


def decoded(received: Received) -> bytes:
    """A body without its content coding."""
    match received.headers.get("content-encoding"):
        case "gzip":
            return gzip.decompress(received.body)
        case "br":
            return bytes(brotli.decompress(received.body))
        case _:
            return received.body


def item_of(value: dict[str, Any]) -> Item:
    """What a checker needs of a repository."""
    digest = hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
    return Item(digest, value["full_name"], value["stargazers_count"], value["forks_count"])

"""The stand-in GitHub's content, which changes all the time."""

import random
import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

from tests.chaos.history import MEMBERS, ORG, REPOS, History, Published
from tests.fakegithub.client import Controls

_FIRST, _LAST = 10_000_000, 20_000_000  # stars of the marked repositories, to which they add


class World:
    """Changes GitHub's content all the time; each change carries a visible generation number.

    The first and the last repository of the list show it in their stars, the organisation in its
    description, the members in the name of the member who joined last.
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
        """Make the first generation, and the others in a thread."""
        self._step(0)
        self._thread.start()

    def stop(self) -> None:
        """Make no more changes."""
        self._ends.set()
        self._thread.join()

    @property
    def paths(self) -> list[tuple[str, int]]:
        """Paths that clients request, with their weights."""
        return [
            ("/", 1), (ORG, 3), (MEMBERS, 2), (REPOS, 2), ("/view/top/2/stars", 5),
            ("/view/bottom/3/forks", 1), (f"{REPOS}?per_page=100&page=1", 1),
            (f"{REPOS}?per_page=30&page=4", 2), (f"/repos/Netflix/{self.first}", 3),
        ]  # fmt: skip

    def marks_of(self, path: str, value: Any) -> Iterator[tuple[str, int]]:
        """The generation numbers that a body shows, by mark."""
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

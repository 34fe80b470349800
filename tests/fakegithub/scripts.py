"""Scripted mutations: "after page 2 of this list has been served, change the world".

The mutation happens after the page's response is made and before its first byte leaves, so the
client's next request always meets the changed world.
"""

import itertools
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.fakegithub import mutations
from tests.fakegithub.world import World


@dataclass
class Script:
    """After page `page` of list `path` (its path in any form, no query), do `mutation`."""

    path: str
    mutation: dict[str, Any]
    page: int = 1
    times: int | None = 1
    id: int = 0


@dataclass
class Scripts:
    """The scripts that are still to run."""

    waiting: list[Script] = field(default_factory=list)
    ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def order(self, options: dict[str, Any]) -> int:
        """Add a script from JSON options; return its id. ValueError says what is wrong."""
        try:
            script = Script(**options)
        except TypeError as error:
            raise ValueError(str(error)) from error
        if script.mutation.get("kind") not in mutations.MUTATIONS:
            raise ValueError(f"no such mutation: {script.mutation.get('kind')}")
        with self.lock:
            script.id = next(self.ids)
            self.waiting.append(script)
            return script.id

    def clear(self) -> None:
        """Remove all scripts."""
        with self.lock:
            self.waiting.clear()

    def served(self, world: World, list_paths: tuple[str, ...], page: int) -> None:
        """Page `page` of the list known by these paths is being served: run its scripts."""
        for script in self.due(list_paths, page):
            mutations.apply(world, script.mutation)

    def due(self, list_paths: tuple[str, ...], page: int) -> list[Script]:
        """The scripts of that page, counted as run."""
        known = {path.lower() for path in list_paths}
        with self.lock:
            found = [
                script
                for script in self.waiting
                if script.page == page and script.path.lower() in known and script.times != 0
            ]
            for script in found:
                script.times = None if script.times is None else script.times - 1
            return found

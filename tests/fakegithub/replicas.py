"""Replicas that lag behind the world, as GitHub's do: a read shows what there was a while ago.

Requests go to one replica after the other. Each shows the world as it was `lag` seconds before.
"""

import copy
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.fakegithub.rendering import Renderer
from tests.fakegithub.world import World


@dataclass
class Replicas:
    """The former worlds that lagging replicas still show.

    world: the present one.
    former: each with the time at which it ended; the oldest first.
    """

    world: World
    former: list[tuple[float, Renderer]] = field(default_factory=list)
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def before_change(self, lags: Sequence[float], *, now: float) -> None:
        """Keep a copy of the world, which changes now."""
        if max(lags, default=0) <= 0:
            return
        with self.world.lock:
            copied = copy.copy(self.world)
            copied.lock = threading.RLock()
            # One `deepcopy`, so that what refers to an account refers to its copy.
            names = ("accounts", "accounts_by_id", "repos_by_id", "former_names")
            parts = copy.deepcopy({name: getattr(self.world, name) for name in names})
            for name, part in parts.items():
                setattr(copied, name, part)
        with self.lock:
            self.former = [one for one in self.former if one[0] > now - max(lags)]
            self.former.append((now, Renderer(copied)))

    def renderer(self, lags: Sequence[float], present: Renderer, *, now: float) -> Renderer:
        """That of the replica whose turn it is."""
        if not lags:
            return present
        with self.lock:
            lag = lags[self.requests % len(lags)]
            self.requests += 1
            shown = (renderer for ended, renderer in self.former if ended > now - lag)
            return next(shown, present)

"""Many random changes of a list: what is stored stays right, and does not grow.

`pytest tests/refresher/test_many_changes.py --changes 10000` is the long run.
"""

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any, cast

import pytest
from redis import Redis

from refresher.context import RefreshContext
from refresher.refresh import refresh
from shared.entry import Entry
from shared.outcomes import RefreshOutcome
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.store import Store
from tests.fakegithub.client import FakeGitHub
from tests.pieces import HeldPieces
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import REPOS, ManualClock

TTL = 1000
FEWEST, MOST = 110, 240  # repositories
# GitHub's own names of what the views rank by.
RANKED_BY = {
    "forks": "forks_count",
    "last_updated": "updated_at",
    "open_issues": "open_issues_count",
    "stars": "stargazers_count",
    "watchers": "watchers_count",
}
DONE = {RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED}


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A GitHub whose list of repositories has three pages."""
    with FakeGitHub(repos=190, members=3, private=12, anonymous_limit=10**9) as github:
        yield github


class Changes:
    """Changes a list at GitHub at random; knows which items a webhook would name.

    Args:
        github: the stand-in.
        dice: decides.
    """

    def __init__(self, github: FakeGitHub, dice: random.Random) -> None:
        self._github = github
        self._dice = dice
        self._numbers = count()
        self._size = len(github.repos(private=True))

    def some(self) -> list[int]:
        """Make one change, or several; return the ids of the items."""
        several = self._dice.choice([1, 1, 1, 2, 5, 12])
        return [self._one() for _ in range(several)]

    def _one(self) -> int:
        repo = self._dice.randrange(self._size)
        mutate = partial(self._github.mutate, repo=repo)
        kinds: dict[str, Any] = {
            "star": partial(mutate, "star", by=self._dice.randint(-3, 9)),
            "edit": partial(mutate, "edit_repo", open_issues=self._dice.randint(0, 4)),
            "describe": partial(mutate, "edit_repo", description=self._text()),
            "rename": partial(mutate, "rename", to=f"name-{next(self._numbers)}"),
            "private": partial(mutate, "make_private"),
            "public": partial(mutate, "make_public"),
            "move": partial(mutate, "move", to=self._dice.randrange(self._size)),
            "add": partial(self._github.mutate, "add", where=self._dice.choice(["front", "end"])),
            "delete": partial(mutate, "delete"),
        }
        weights = {"star": 6, "add": 2, "delete": 2}
        if self._size <= FEWEST:
            weights["delete"] = 0
        if self._size >= MOST:
            weights["add"] = 0
        kind = self._dice.choices([*kinds], [weights.get(name, 1) for name in kinds])[0]
        touched: int = kinds[kind]()["id"]
        self._size += {"add": 1, "delete": -1}.get(kind, 0)
        return touched

    def _text(self) -> str:
        return self._dice.choice(["", 'Ä, "quoted" \\ and [brackets]', "x" * 900, "\u2028{}"])


class Fleet:
    """A refresher, a reader that holds what it loaded last, and a reader that holds nothing."""

    def __init__(
        self, github: FakeGitHub, context: RefreshContext, redis: Redis, clock: ManualClock
    ) -> None:
        self.github = github
        self.redis = redis
        self.context = context
        self.queue = RefreshQueue(redis, limits=QueueLimits())
        self.clock = clock
        self.held: Entry | None = None
        self._bodies: dict[str, bytes] = {}  # of the latest entity tags
        self._tags: dict[bytes, str] = {}

    def look(self, items: Sequence[int]) -> None:
        """Refresh after a webhook for each of these items; after none, at the end of the lifetime.

        A list that has become much shorter is believed only by a second look.
        """
        for item in items:
            self.queue.mark(REPOS, item=item)
        if not items:
            self.clock.now += TTL
        for _ in range(6):
            outcome = refresh(REPOS, self.context)
            if outcome in DONE:
                return
            assert outcome is RefreshOutcome.DOUBTED
            self.clock.now += 40
        raise AssertionError("the list is doubted for ever")

    def check(self) -> None:
        """Compare what is stored with GitHub, and with itself."""
        holding = Store(self.redis, pieces=HeldPieces(self.held))
        held, fresh = holding.read(REPOS), Store(self.redis).read(REPOS)
        assert held is not None
        assert fresh is not None
        assert (held.metadata, held.body, held.encoded) == (
            fresh.metadata,
            fresh.body,
            fresh.encoded,
        )
        assert _plain(held) == _plain(fresh)
        self.held = held
        repos = self.github.repos()
        assert json.loads(bytes(fresh.body)) == repos
        assert gzip.decompress(bytes(fresh.encoded["gzip"])) == fresh.body
        assert fresh.array is not None
        assert [
            json.loads(bytes(fresh.array.slice(at, at + 1))) for at in range(0, len(repos), 17)
        ] == [[one] for one in repos[::17]]
        for name, view in _plain(fresh).items():
            assert json.loads(view) == _ranking(repos, RANKED_BY[name])
        self._check_tag(fresh)
        self._check_size(fresh, pages=-(-len(repos) // 100))

    def _check_tag(self, entry: Entry) -> None:
        """One body has one entity tag, and the other way round; of the last 50."""
        tag, body = entry.metadata.etag, bytes(entry.body)
        assert self._bodies.setdefault(tag, body) == body
        assert self._tags.setdefault(body, tag) == tag
        while len(self._bodies) > 50:
            del self._tags[self._bodies.pop(next(iter(self._bodies)))]

    def _check_size(self, entry: Entry, *, pages: int) -> None:
        names = {one.name for rows in entry.manifests.values() for one in rows}
        assert entry.metadata.segments == len(names)
        assert set(cast(list[bytes], self.redis.hkeys(keys.segments(REPOS)))) == names
        fields = {one.decode() for one in cast(list[bytes], self.redis.hkeys(keys.pages(REPOS)))}
        # A full last page may be followed by an empty one, which is kept.
        bodies = {field for field in fields if field.isdecimal()}
        assert pages <= len(bodies) <= pages + 1
        numbers = {f"{prefix}{number}" for number in bodies for prefix in ("", "index:", "rows:")}
        lasts = {f"lasts:{ranking.name}" for ranking in REPOS.kind.rankings}
        assert fields == {"heads", "ids", *numbers, *lasts}


def _plain(entry: Entry) -> dict[str, bytes]:
    return {name: bytes(view.body) for name, view in entry.views.items()}


def _ranking(repos: Sequence[dict[str, Any]], member: str) -> list[list[Any]]:
    by_name = sorted(repos, key=lambda repo: str(repo["full_name"]))
    best_first = sorted(by_name, key=lambda repo: repo[member], reverse=True)
    return [[repo["full_name"], repo[member]] for repo in best_first]


def keys_of(redis: Redis) -> set[bytes]:
    """The keys that do not expire by themselves."""
    return {key for key in cast(list[bytes], redis.keys("*")) if redis.ttl(key) == -1}


def is_of(key: str) -> bool:
    """Whether a key is bounded by something else than the list: seconds, or what it holds."""
    bounded = (keys.items_named(REPOS), keys.segments(REPOS), keys.timeline(""))
    return key.startswith(bounded)


def sizes_of(redis: Redis) -> dict[str, int]:
    """Elements of each key."""
    sizes = {b"hash": redis.hlen, b"list": redis.llen, b"zset": redis.zcard, b"set": redis.scard}
    found = {}
    for key in keys_of(redis):
        kind = cast(bytes, redis.type(key))
        if kind in sizes:
            found[key.decode()] = sizes[kind](key)
    return found


@pytest.mark.timeout(7200)
def test_readers_follow_every_change_and_nothing_grows(
    github: FakeGitHub, context_for: MakeContext, redis: Redis, pytestconfig: pytest.Config
) -> None:
    dice = random.Random("changes")
    clock = ManualClock()
    context = context_for(github.url, clock=clock, cache_ttl=TTL)
    fleet, changes = Fleet(github, context, redis, clock), Changes(github, dice)
    fleet.look([])
    fleet.check()
    early: set[bytes] = set()
    for number in range(pytestconfig.getoption("--changes")):
        touched = changes.some()
        fleet.look(dice.choice([touched, touched, touched, []]))
        fleet.check()
        if number <= 50:
            early |= keys_of(redis)
    assert keys_of(redis) <= early
    # What is remembered for half a minute, and the entry itself, were checked otherwise.
    others = {key: size for key, size in sizes_of(redis).items() if not is_of(key)}
    assert max(others.values()) < 100, others

"""What is checked after each event of a run: the promises that the documents make."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from reader.cache.local_cache import Held
from reader.cache.wanted import Found
from reader.errors import ApiError
from refresher.deliveries.lost import lost_from
from shared import drift
from shared.entry import Metadata
from shared.redis import keys
from shared.resources.resource import Resource
from shared.time_bounds import TOLERANCE
from tests.simulation.fleet import Fleet
from tests.simulation.hub import Hub, SimProcess
from tests.simulation.model_github import (
    GONE,
    MEMBERS,
    ORG,
    ORGANISATION,
    REPOS,
    ModelGitHub,
    Told,
    seen_in,
)
from tests.simulation.model_redis import ModelRedis
from tests.simulation.paged_lists import goes_back, wrong_in, wrong_names_in

_WRITES = frozenset({"WRITE", "CONFIRM"})  # scripts
SLACK_S = 1.5  # of clocks that are measured through slow round trips
LOOKED_AT_S = 12.0  # seconds after a delivery, beside the lag, until every reader shows a change
WITHDRAWN_S = 3.0  # seconds after a delivery until no reader shows a repository


class BrokenPromiseError(Exception):
    """A promise was broken; the message says which, where and by what."""


@dataclass
class _Stored:
    """What Redis was last seen to hold of a tracked resource."""

    version: int = 0
    confirmed_by: int = 0


class Promises:
    """Watches a fleet.

    Args:
        hub: virtual time.
        fleet: to watch.
        redis: the model.
        github: the model, which knows the truth.
    """

    def __init__(self, hub: Hub, fleet: Fleet, redis: ModelRedis, github: ModelGitHub) -> None:
        self.hub = hub
        self.fleet = fleet
        self.redis = redis
        self.github = github
        self._generations: dict[int, int] = {}
        self._held: dict[int, dict[str, tuple[int, int]]] = {}  # by process and resource
        self._checked: set[tuple[str, int, float]] = set()
        self._short: set[tuple[int, str]] = set()  # processes and resources that are shown short
        self._values: dict[tuple[str, int], Any] = {}
        self._stored: dict[str, _Stored] = {}
        self._places: dict[tuple[int, str], int] = {}
        self._lists: dict[int, Any] = {}  # by process, what it showed last in the calm
        self._is_calm = False
        self._losses = 0
        self.checks = 0

    def after_event(self) -> None:
        """Check the readers whose memory has changed."""
        for name, components in self.fleet.readers.items():
            generation, process = components.local.generation, self.fleet.processes[name]
            if self._generations.get(id(process)) != generation:
                self._generations[id(process)] = generation
                self._check_reader(process, components.local)

    def _check_reader(self, process: SimProcess, local: Any) -> None:
        known = self._held.setdefault(id(process), {})
        held_now = {resource.name: local.peek(resource) for resource in local.resources()}
        for resource in self.fleet.catalogue.tracked:
            if resource.name in known and held_now.get(resource.name) is None:
                raise BrokenPromiseError(f"{process.name} holds {resource.name} no longer")
        for name, held in held_now.items():
            metadata = held.entry.metadata
            now = (metadata.version, metadata.confirmed_by)
            before = known.get(name, (0, 0))
            # Versions are Redis's time: one of its future gives way, after it has lost the entry.
            if max(now) < max(before) <= 1e6 * (self.redis.unix + TOLERANCE):
                raise BrokenPromiseError(
                    f"{process.name}: {name} went back from version {before} to {now}"
                )
            is_short = self._is_short(held)
            if is_short and name in known and (id(process), name) not in self._short:
                raise BrokenPromiseError(f"{process.name} held {name}, and shows it short")
            if is_short:  # nothing was left to compare it with
                self._short.add((id(process), name))
            else:
                self._short.discard((id(process), name))
                self.check_content(process.name, held)
            known[name] = now
            if now != before and self._is_calm:
                self._check_order(process, held)

    def calm(self, *, is_calm: bool) -> None:
        """From now on all webhooks arrive, and looks replace nothing newer by older; or no more."""
        self._is_calm = is_calm
        self._places.clear()
        self._lists.clear()

    def _check_order(self, process: SimProcess, held: Held) -> None:
        path = held.resource.path.lower()
        if path not in {REPOS, ORGANISATION}:  # others have no `updated_at`
            return
        if path == REPOS and self.github.is_paged:
            shown = self._shown(held)
            older = goes_back(self._lists.get(id(process), []), shown)
            if older:
                raise BrokenPromiseError(f"{process.name}: {path} shows {older} as it was before")
            self._lists[id(process)] = shown
            return
        place = max(self.github.truths[path].places(self._shown(held)), default=0)
        before = self._places.get((id(process), path), 0)
        if place < before:
            raise BrokenPromiseError(f"{process.name}: {path} shows what was there before")
        self._places[id(process), path] = place

    def check_content(self, where: str, held: Held) -> None:
        """What is held was GitHub's truth when it was confirmed."""
        entry, path = held.whole or held.entry, held.resource.path.lower()
        truth, metadata = self.github.truths.get(path), entry.metadata
        key = (path, metadata.version, metadata.validated_at)
        if truth is None or key in self._checked:
            return
        self._checked.add(key)
        self.checks += 1
        value = self._value(path, metadata.version, metadata.status, bytes(entry.body))
        if path in {REPOS, MEMBERS} and self.github.is_paged:
            self._check_pages(where, path, value, metadata)
            return
        places = truth.places(value)
        if not places:
            raise BrokenPromiseError(
                f"{where}: {path} version {metadata.version} is nothing that GitHub ever had:"
                f" {str(value)[:300]}"
            )
        if value is GONE:  # of a withdrawn repository, whatever GitHub shows
            return
        confirmed_at = self.redis.earliest(metadata.validated_at)
        if self.github.was_wrong(path, confirmed_at - SLACK_S, self.hub.now):
            return
        if truth.ended(places[-1]) < confirmed_at - self.github.lag - SLACK_S:
            raise BrokenPromiseError(
                f"{where}: {path} version {metadata.version}, confirmed at"
                f" {confirmed_at:.2f}, was replaced at"
                f" {truth.ended(places[-1]):.2f}"
            )

    def _check_pages(self, where: str, path: str, value: Any, metadata: Metadata) -> None:
        confirmed_at = self.redis.earliest(metadata.validated_at)
        if self.github.was_wrong(path, confirmed_at - SLACK_S, self.hub.now):
            return
        since = confirmed_at - self.github.lag - SLACK_S
        # Replicas that lag are looked at again; a list of which nothing was stored, too.
        may_miss = self.github.lag > 0 or metadata.first_at > 0
        if path == MEMBERS:
            wrong = wrong_names_in(value, self.github.truths[path], since=since, may_miss=may_miss)
        else:
            wrong = wrong_in(
                value,
                lambda name: self.github.truths.get(f"/repos/{name.lower()}"),
                [f"{ORG}/{name}" for name in self.github.repo_names()],
                since=since,
                may_miss=may_miss,
            )
        if wrong:
            raise BrokenPromiseError(f"{where}: {path} version {metadata.version} {wrong}")

    def _is_short(self, held: Held) -> bool:
        """Whether a list is what GitHub once showed although it never was so."""
        path = held.resource.path.lower()
        if path != REPOS or held.entry.metadata.status != 200:
            return False
        value = self._shown(held)
        if self.github.is_paged:
            return 2 * len(value) < len(self.github.truths[REPOS].values[-1])
        return value in self.github.shortened and not self.github.truths[path].places(value)

    def _value(self, path: str, version: int, status: int, body: bytes) -> Any:
        key = (path, version)
        if key not in self._values:
            self._values[key] = seen_in(path, status, body)
        return self._values[key]

    def after_step(self, process: SimProcess, name: str) -> None:
        """Check what a refresher may have written."""
        if not _WRITES.intersection(name.split(",")):
            return
        if self._losses != self.redis.losses:
            self._losses = self.redis.losses
            self._stored.clear()
        for resource in self.fleet.catalogue.tracked:
            self._check_stored(process, resource)

    def _check_stored(self, process: SimProcess, resource: Resource) -> None:
        checker = self.redis.checker
        meta, token = checker.hmget(keys.entry(resource), "meta", "confirmed_by")
        before = self._stored.get(resource.name)
        if meta is None:
            if before is not None:
                raise BrokenPromiseError(f"{process.name}: {resource.name} is gone from Redis")
            return
        version = int(meta.partition(b'"version":')[2].partition(b",")[0].strip(b" }"))
        confirmed_by = max(version, int(token or 0))
        if before is not None and (version, confirmed_by) != (before.version, before.confirmed_by):
            fence = checker.get(keys.fence(resource))
            if version < before.version or confirmed_by < before.confirmed_by:
                raise BrokenPromiseError(
                    f"{process.name}: {resource.name} in Redis went back from {before}"
                    f" to {version}, {confirmed_by}"
                )
            if fence is not None and int(fence) != confirmed_by:
                raise BrokenPromiseError(
                    f"{process.name} wrote {resource.name} with token {confirmed_by},"
                    f" but {int(fence)} was handed out"
                )
        self._stored[resource.name] = _Stored(version, confirmed_by)

    def served(self, process: SimProcess, resource: Resource, result: Found | ApiError) -> None:
        """A client's response: content that this reader held is never refused."""
        was_held = resource.tracked and resource.name in self._held.get(id(process), {})
        if isinstance(result, ApiError) and was_held:
            raise BrokenPromiseError(f"{process.name} refuses {resource.name}: {result}")

    def behind(self) -> Iterator[str]:
        """Each reader and tracked resource that is not what GitHub has now; and what is queued."""
        for name in self.fleet.names:
            components = self.fleet.readers.get(name)
            if not name.startswith("reader"):
                continue
            for resource in self.fleet.catalogue.tracked:
                held = None if components is None else components.local.peek(resource)
                truth = self.github.truths.get(resource.path.lower())
                if truth is not None and self._shown(held) != truth.values[-1]:
                    yield f"{name} {resource.name}"
        for resource in self.fleet.catalogue.tracked:
            if self.redis.checker.exists(keys.suspicion(resource)):
                yield f"{resource.name} is in doubt"
        queued = self.redis.checker.llen("rq:queue:refresh")
        if queued:
            yield f"{queued} queued refreshes"
        looks = self.redis.checker.zcard(keys.LOOKS)
        if looks:
            yield f"{looks} looks"

    def _shown(self, held: Held | None) -> Any:
        if held is None:
            return None
        entry = held.whole or held.entry
        metadata, path = entry.metadata, held.resource.path.lower()
        return self._value(path, metadata.version, metadata.status, bytes(entry.body))

    def check_told(self, told: Told) -> None:
        """A change of which GitHub has told is what every reader has, or something later."""
        truth = self.github.truths[told.path]
        for name, components in self.fleet.readers.items():
            resource = self.fleet.catalogue.named(told.path)
            held = next(
                one
                for one in map(components.local.peek, self.fleet.catalogue.tracked)
                if one is not None and one.resource.path.lower() == told.path
            )
            assert resource is not None
            places = truth.places(self._shown(held))
            if not places or truth.ended(places[-1]) <= told.changed_at:
                raise BrokenPromiseError(
                    f"{name}: {told.path} changed at {told.changed_at:.2f}, was told at"
                    f" {told.at:.2f}, and is not there"
                )

    def is_remembered(self, guid: str) -> bool:
        """Whether a reader has taken a delivery, even if its answer was lost."""
        return bool(self.redis.checker.exists(keys.delivery(guid)))

    def given_up(self) -> set[str]:
        """The ids of the lost deliveries for which GitHub is asked no more."""
        found = self.redis.checker.hgetall(keys.lost_deliveries(f"/orgs/{ORG}/hooks/1"))
        known = {guid.decode(): lost_from(text) for guid, text in found.items()}
        return {guid for guid, one in known.items() if one is not None and one.is_given_up}

    def check_drift(self) -> None:
        """Drift that was found is some: GitHub had confirmed something wrongly."""
        for one in drift.read(self.redis.checker):
            path = one.resource.partition("?")[0].lower()
            if not self.github.was_wrong(path, 0.0):
                raise BrokenPromiseError(f"drift of {one.resource}, which GitHub confirmed rightly")

    def check_withdrawn(self, name: str) -> None:
        """No reader shows a repository that was made private."""
        for reader, components in self.fleet.readers.items():
            for resource in components.local.resources():
                held = components.local.peek(resource)
                if held is not None and f'"Netflix/{name}"'.encode() in bytes(held.entry.body):
                    raise BrokenPromiseError(f"{reader} shows {name} in {resource.name}")


def guarded(check: Callable[[], None], failed: Callable[[BrokenPromiseError], None]) -> None:
    """Make a check; a promise that is broken ends the run, not the process that is checked."""
    try:
        check()
    except BrokenPromiseError as broken:
        failed(broken)

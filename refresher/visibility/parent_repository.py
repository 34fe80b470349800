"""The repository that a resource lies below, and whose visibility it shares.

Issues or files carry no mark of their own, and a credential may see those of private repositories.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis

from refresher.content.page import Page
from refresher.errors import NotNowError, OriginError
from refresher.storage import page_store
from shared.outcomes import FailureKind, RefreshOutcome
from shared.redis.store import EntryState, Store
from shared.resources.resource import Resource

# Where what lies below a repository begins: `/repos/{owner}/{repo}`, `/networks/{owner}/{repo}`.
_ROOTS = frozenset({"repos", "networks"})
_REPOSITORY_SEGMENTS = 3  # repos, owner, name
# Seconds for which what GitHub said of a repository counts as said at the same time. Its replicas
# differ by as much.
_MEANWHILE = 1.0
_PATIENCE = 2.0  # seconds to wait for another refresher that is just asking for it
_POLL = 0.02  # seconds


def parent_repository(resource: Resource) -> Resource | None:
    """The repository that a resource lies below; None for a repository itself and all else."""
    segments = resource.path.strip("/").split("/")
    if segments[0] not in _ROOTS or len(segments) <= _REPOSITORY_SEGMENTS:
        return None
    path = "/".join(["", "repos", *segments[1:_REPOSITORY_SEGMENTS]])
    return Resource(path, include_private=resource.include_private)


@dataclass(frozen=True)
class Parent:
    """What is known of a repository, asked for where it is not; may raise `redis.RedisError`.

    Args:
        resource: the repository.
        redis: where everything lives.
        store: the reading side of it.
        refresh: brings a repository up to date; told whether to ask GitHub though it is fresh.
        clock: gives Unix time in seconds.
    """

    resource: Resource
    redis: Redis
    store: Store
    refresh: Callable[[Resource, bool], RefreshOutcome]
    clock: Callable[[], float]

    def is_seen(self) -> bool:
        """Whether GitHub shows it.

        Raises:
            NotNowError: another refresher is at work on it.
            OriginError: it could not be read: whether it is public is not known.
        """
        state = self.store.state(self.resource)
        if not state.is_current(self.clock()):
            if self._refresh(force=False):
                raise NotNowError
            state = self.store.state(self.resource)
        return self._status(state, is_known=state.is_current(self.clock())) == 200

    def is_still_seen(self, at: float) -> bool:
        """Whether GitHub showed it at a moment, at which something below it was asked for.

        A repository can turn private between the look at it and the look at what lies below it.

        Args:
            at: Unix time in seconds.

        Raises:
            NotNowError: another refresher is at work on it.
            OriginError: it could not be read: whether it is public is not known.
        """
        state = self.store.state(self.resource)
        if not _is_known_at(state, at):
            if self._refresh(force=True):
                self._await(at)
            state = self.store.state(self.resource)
        return (
            self._status(state, is_known=_is_known_at(state, at)) == 200 and not self.is_private()
        )

    def is_private(self) -> bool:
        """Whether it is not said to be public, so that only `INCLUDE_PRIVATE` lets it in."""
        entry = self.store.read(self.resource)
        value: dict[str, Any] = json.loads(entry.body) if entry else {}
        return value.get("private") is not False or value.get("visibility", "public") != "public"

    def page(self) -> Page | None:
        """GitHub's last answer about it, as it was sent; None where that is not kept."""
        return next(iter(page_store.load(self.redis, self.resource).pages), None)

    def _refresh(self, *, force: bool) -> bool:
        """Bring it up to date; gives whether another refresher is at work on it instead."""
        outcome = self.refresh(self.resource, force)
        return outcome in {RefreshOutcome.BUSY, RefreshOutcome.NO_LOCK}

    def _await(self, at: float) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not _is_known_at(self.store.state(self.resource), at):
            if time.monotonic() > deadline:
                raise NotNowError
            time.sleep(_POLL)

    @staticmethod
    def _status(state: EntryState, *, is_known: bool) -> int:
        if state.metadata is None or not is_known:
            reason = "the repository itself could not be read"
            raise OriginError(FailureKind.UNEXPECTED, reason)
        return state.metadata.status


def _is_known_at(state: EntryState, at: float) -> bool:
    return (
        state.metadata is not None
        and state.invalidated_by is None
        and state.metadata.validated_at > at - _MEANWHILE
    )

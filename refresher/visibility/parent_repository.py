"""The repository that a resource lies below, and whose visibility it shares.

Issues and files have no visibility field of their own, and a credential may see those of private
repositories.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from refresher.content.content import Content, not_found
from refresher.content.page import Page
from refresher.errors import NotNowError, OriginError
from refresher.storage.storage import Storage
from shared.clock import Clock
from shared.outcomes import FailureKind, RefreshOutcome
from shared.redis.entry_state import EntryState
from shared.resources.kinds import ON_DEMAND
from shared.resources.resource import Resource

# Statuses of a repository that are not those of what lies below it.
_NOT_ITS_OWN = frozenset({200, 202, 204, 302, 404})
# Seconds within which two responses count as simultaneous: GitHub's replicas differ by as much.
_SIMULTANEOUS = 1.0
_PATIENCE = 10.0  # seconds to wait for another refresher that is refreshing the repository
_POLL = 0.02  # seconds between two checks whether it has finished


def parent_repository(resource: Resource) -> Resource | None:
    """The repository that a resource lies below; None if it lies below none."""
    path = resource.repository_above
    if not path:
        return None
    return replace(resource, path=path, query="", kind=ON_DEMAND, media="", version="")


@dataclass(frozen=True)
class Parent:
    """The parent repository, refreshed when necessary; methods may raise `redis.RedisError`.

    Args:
        resource: the repository.
        storage: holds its entry and pages.
        refresh: refreshes a repository; the flag says whether to do so even if it is fresh.
        clock: the process's clock.
    """

    resource: Resource
    storage: Storage
    refresh: Callable[[Resource, bool], RefreshOutcome]
    clock: Clock

    def is_seen(self) -> bool:
        """Whether GitHub shows the repository.

        Raises:
            NotNowError: another refresher is refreshing it.
            OriginError: it could not be read, so its visibility is unknown.
        """
        state = self.storage.store.state(self.resource)
        if not state.is_current(self.clock.now()):
            if self._refresh(force=False):
                self._await(lambda state: state.is_current(self.clock.now()))
            state = self.storage.store.state(self.resource)
        return self._status(state, is_known=state.is_current(self.clock.now())) == 200

    def is_still_seen(self, at: float) -> bool:
        """Whether the repository was public when something below it was requested.

        A repository can become private between the request for it and the request for a resource
        below it.

        Args:
            at: Unix time in seconds of the latter request.

        Raises:
            NotNowError: another refresher is refreshing the repository.
            OriginError: it could not be read, so its visibility is unknown.
        """
        state = self.storage.store.state(self.resource)
        if not _is_known_at(state, at):
            if self._refresh(force=True):
                self._await(lambda state: _is_known_at(state, at))
            state = self.storage.store.state(self.resource)
        return (
            self._status(state, is_known=_is_known_at(state, at)) == 200 and not self.is_private()
        )

    def answer(self) -> Content:
        """What GitHub says instead of the repository, and so of everything below it.

        A 404 for one that is private, too: the two must look the same.
        """
        entry = self.storage.store.read(self.resource)
        if entry is None or entry.metadata.status in _NOT_ITS_OWN:
            return not_found()
        return Content(entry.metadata.status, bytes(entry.body), entry.metadata.content_type)

    def is_private(self) -> bool:
        """Whether GitHub does not say that it is public. Then only `INCLUDE_PRIVATE` admits it."""
        entry = self.storage.store.read(self.resource)
        value = entry.members if entry else {}
        return value.get("private") is not False or value.get("visibility", "public") != "public"

    def page(self) -> Page | None:
        """GitHub's last response about it, as sent; None if it is not stored."""
        return next(iter(self.storage.pages(self.resource).pages), None)

    def _refresh(self, *, force: bool) -> bool:
        """Refresh the repository; return whether another refresher is refreshing it instead."""
        outcome = self.refresh(self.resource, force)
        return outcome in {RefreshOutcome.BUSY, RefreshOutcome.NO_LOCK}

    def _await(self, is_done: Callable[[EntryState], bool]) -> None:
        """Wait until another refresher has refreshed the repository.

        Raises:
            NotNowError: it failed, or takes too long.
        """
        deadline = self.clock.monotonic() + _PATIENCE
        while not is_done(state := self.storage.store.state(self.resource)):
            has_failed = state.failure is not None and state.failure.holds_back(self.clock.now())
            if has_failed or self.clock.monotonic() > deadline:
                raise NotNowError
            self.clock.sleep(_POLL)

    @staticmethod
    def _status(state: EntryState, *, is_known: bool) -> int:
        if state.metadata is None or not is_known:
            reason = "the repository itself could not be read"
            raise OriginError(FailureKind.UNEXPECTED, reason)
        return state.metadata.status


def _is_known_at(state: EntryState, at: float) -> bool:
    return (
        state.metadata is not None
        and not state.is_invalidated(at)
        and state.metadata.validated_at > at - _SIMULTANEOUS
    )

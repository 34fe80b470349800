"""The refresh path: lock, look again, ask the origin, store."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from redis import Redis, RedisError
from rq.timeouts import BaseTimeoutException

from refresher.backoff import next_failure
from refresher.content import content as contents
from refresher.content.content import Content
from refresher.content.list_reader import ListReader
from refresher.content.narrowing import Findings
from refresher.content.page import Unchanged
from refresher.errors import (
    HeldBackError,
    LeaseLostError,
    NoQuorumError,
    NotNowError,
    OriginError,
)
from refresher.github.client import GitHubClient
from refresher.github.private_mode import check_open
from refresher.github.question import Question, question_of
from refresher.github.response import GitHubResponse
from refresher.lock.large_list_limit import LargeListLimit
from refresher.lock.refresh_lock import HeldLock, lease
from refresher.reporting.reporter import Ended, Reporter
from refresher.storage import page_store
from refresher.storage.entry_writer import EntryWriter
from refresher.storage.page_store import KnownPages
from refresher.visibility.parent_repository import Parent, parent_repository
from refresher.visibility.privileges import Privileges
from refresher.visibility.response_reader import ResponseReader
from shared.outcomes import FailureKind, RefreshOutcome
from shared.queueing import put_off
from shared.redis.store import EntryState, Store
from shared.resources.resource import Resource
from shared.settings import Settings


@dataclass(frozen=True)
class RefreshContext:
    """What refreshes are made with; one set for each work horse.

    Args:
        settings: of the process.
        redis: where everything lives.
        store: the reading side of Redis.
        writer: the writing side.
        origin: GitHub.
        bulkhead: who may begin with a large list.
        reporter: told how each refresh ended.
        privileges: told what credentials see, and who is known to see no more than the public.
        lock_masters: where the locks live; none: with everything else.
        clock: gives Unix time in seconds.
        chance: gives a random number from 0 up to 1.
    """

    settings: Settings
    redis: Redis
    store: Store
    writer: EntryWriter
    origin: GitHubClient
    large_list_limit: LargeListLimit
    reporter: Reporter
    privileges: Privileges
    lock_masters: frozenset[Redis] = frozenset()
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random


def reason_not_to(
    state: EntryState, now: float, *, force: bool, fresh_after: float | None = None
) -> RefreshOutcome | None:
    """Why the origin need not be asked after all, now that the lock is held; None to ask it."""
    if force:
        return None
    if state.failure is not None and state.failure.holds_back(now):
        return RefreshOutcome.BACKING_OFF
    if state.is_current(now if fresh_after is None else max(now, fresh_after)):
        return RefreshOutcome.FRESH
    return None


def refresh(
    resource: Resource,
    context: RefreshContext,
    *,
    force: bool = False,
    fresh_after: float | None = None,
) -> RefreshOutcome:
    """Bring a resource's entry up to date with the origin.

    Whatever goes wrong, the stored entry stays as it was.

    Args:
        resource: what to refresh.
        tools: what to do it with.
        force: ask the origin even if the entry is fresh.
        fresh_after: ask the origin unless the entry is fresh beyond this Unix time (seconds).

    Raises:
        redis.RedisError: Redis is away.
    """
    with context.reporter.reporting(resource) as running:
        running.ended = _refresh(resource, context, force=force, fresh_after=fresh_after)
        return running.ended.outcome


def _refresh(
    resource: Resource, context: RefreshContext, *, force: bool, fresh_after: float | None
) -> Ended:
    lifetime, masters = context.settings.lock_ttl, context.lock_masters
    try:
        with lease(resource, context.redis, masters=masters, lifetime=lifetime) as held:
            if held is None:
                return Ended(RefreshOutcome.BUSY)
            return _refresh_locked(resource, context, held, force=force, fresh_after=fresh_after)
    except NoQuorumError:
        put_off(context.redis, resource, seconds=lifetime)
        return Ended(RefreshOutcome.NO_LOCK)


def _refresh_locked(
    resource: Resource,
    context: RefreshContext,
    held: HeldLock,
    *,
    force: bool,
    fresh_after: float | None,
) -> Ended:
    token = context.writer.draw_token(resource)
    state = context.store.state(resource)
    outcome = reason_not_to(state, context.clock(), force=force, fresh_after=fresh_after)
    if outcome is not None:
        return Ended(outcome, state)
    if context.large_list_limit.holds_back(resource):
        return Ended(RefreshOutcome.HELD_BACK, state)
    return _Attempt(resource, context, held, token, state).run()


@dataclass(frozen=True)
class _Attempt:
    """One try, with the lock held."""

    resource: Resource
    context: RefreshContext
    held: HeldLock
    token: int
    state: EntryState

    def run(self) -> Ended:
        try:
            # Content is as old as the question, not as the answer.
            asked_at, known = self.context.clock(), self._known()
            content = self._fetch(known, asked_at)
            self.context.privileges.check()
            self.held.check()
            outcome = self._store(content, known, asked_at=asked_at)
            return Ended(outcome, self.state, pages=len(content.pages))
        except OriginError as error:
            return self._fail(error)
        except LeaseLostError:
            return Ended(RefreshOutcome.FENCED, self.state)
        except HeldBackError:
            return Ended(RefreshOutcome.HELD_BACK, self.state)
        except NotNowError:
            return Ended(RefreshOutcome.BUSY, self.state)
        except RedisError:
            raise
        except BaseTimeoutException:
            return self._fail(OriginError(FailureKind.TIMEOUT, "the refresh took too long"))
        except Exception as error:
            # Without a record the readers would ask for the same failure every second.
            reason = f"an error of our own ({type(error).__name__}); see the refresher's log"
            self._fail(OriginError(FailureKind.INTERNAL, reason))
            raise

    def _fetch(self, known: KnownPages, asked_at: float) -> Content | Unchanged:
        question = question_of(self.resource)
        if not self.resource.include_private:
            check_open(self.context.origin, self.context.redis)
        if self.resource.kind.is_list:
            return self._fetch_list(question, known)
        return ResponseReader(
            question,
            self.resource.tracked,
            self.context.origin,
            self._parent(),
            self.context.privileges,
            self._note_findings,
            self.context.clock,
        ).read(known, asked_at=asked_at)

    def _parent(self) -> Parent | None:
        """The repository that the resource lies below."""
        resource, context = parent_repository(self.resource), self.context
        if resource is None:
            return None
        return Parent(
            resource,
            context.redis,
            context.store,
            lambda one, force: refresh(one, context, force=force),
            context.clock,
        )

    def _fetch_list(self, question: Question, known: KnownPages) -> Content | Unchanged:
        settings = self.context.settings
        assert question.shape.items is not None, "only lists are expanded"
        reader = ListReader(
            self.context.origin,
            self.resource,
            question.path,
            question.shape.items,
            max_pages=settings.list_max_pages,
            max_bytes=settings.list_max_bytes,
            before_each=self.held.check,
            note_length=self._note_length,
            note_progress=partial(self.context.reporter.progress, self.resource),
            clock=self.context.clock,
            concurrency=settings.github_concurrency,
            note_findings=self._note_findings,
        )
        is_made_anew = known.is_outdated or not self.state.is_complete
        read = reader.read(known.pages, known.ids, is_made_anew=is_made_anew)
        if isinstance(read, Unchanged):
            return read
        return contents.of_list(read, self.resource.kind)

    def _note_length(self, pages: int) -> None:
        """Leave a list for later that turned out to be large, if there is no room for it."""
        large_list_limit = self.context.large_list_limit
        if large_list_limit.note(self.resource, pages) and large_list_limit.holds_back(
            self.resource
        ):
            raise HeldBackError

    def _note_findings(self, response: GitHubResponse, findings: Findings) -> None:
        self.context.privileges.note_findings(response, findings)
        operation = self.resource.operation
        self.context.reporter.note_dropped(operation.id if operation else "", findings.dropped)

    def _known(self) -> KnownPages:
        """The stored pages; none without an entry, since only that could be confirmed.

        A single response cannot be made anew of its page, which lacks its header fields: it is
        asked for without a condition.
        """
        if self.state.metadata is None:
            return KnownPages()
        known = page_store.load(self.context.redis, self.resource)
        is_made_anew = known.is_outdated or not self.state.is_complete
        return KnownPages() if is_made_anew and not self.resource.kind.is_list else known

    def _store(
        self, content: Content | Unchanged, known: KnownPages, *, asked_at: float
    ) -> RefreshOutcome:
        """Write the entry anew if its content, or what is derived of it, has changed."""
        writer, before = self.context.writer, self.state.metadata
        if isinstance(content, Content) and self._is_to_be_written(content):
            is_same = before is not None and before.etag == content.etag
            stored = writer.store(
                self.resource,
                content,
                token=self.token,
                now=asked_at,
                invalidated_by=self.state.invalidated_by,
                changed_at=before.changed_at if before is not None and is_same else None,
            )
            return RefreshOutcome.UPDATED if stored else RefreshOutcome.FENCED
        confirmed = writer.confirm(
            self.resource,
            content,
            known,
            token=self.token,
            now=asked_at,
            invalidated_by=self.state.invalidated_by,
        )
        return RefreshOutcome.UNCHANGED if confirmed else RefreshOutcome.FENCED

    def _is_to_be_written(self, content: Content) -> bool:
        before = self.state.metadata
        return before is None or before.etag != content.etag or not self.state.is_complete

    def _fail(self, error: OriginError) -> Ended:
        failure = next_failure(
            self.state.failure,
            kind=error.kind,
            reason=error.reason,
            status=error.status,
            retry_after=error.retry_after,
            now=self.context.clock(),
            longest=self.context.settings.backoff_max,
            chance=self.context.chance(),
        )
        recorded = self.context.writer.record_failure(self.resource, failure, token=self.token)
        outcome = RefreshOutcome.FAILED if recorded else RefreshOutcome.FENCED
        return Ended(outcome, self.state, failure)

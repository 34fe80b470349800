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
from refresher.github.client import Origin
from refresher.github.private_mode import check_open
from refresher.github.question import Question, question_of
from refresher.github.response import OriginAnswer
from refresher.lock.large_list_limit import Bulkhead
from refresher.lock.refresh_lock import Lease, lease
from refresher.reporting.reporter import Ended, Reporter
from refresher.storage import page_store
from refresher.storage.entry_writer import Writer
from refresher.storage.page_store import Known
from refresher.visibility.parent_repository import Parent, parent_repository
from refresher.visibility.privileges import Privileges
from refresher.visibility.response_reader import AnswerReader
from shared.outcomes import FailureKind, RefreshOutcome
from shared.queueing import put_off
from shared.redis.store import Look, Store
from shared.resources.resource import Resource
from shared.settings import Settings


@dataclass(frozen=True)
class Tools:
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
    writer: Writer
    origin: Origin
    bulkhead: Bulkhead
    reporter: Reporter
    privileges: Privileges
    lock_masters: frozenset[Redis] = frozenset()
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random


def reason_not_to(
    look: Look, now: float, *, force: bool, fresh_after: float | None = None
) -> RefreshOutcome | None:
    """Why the origin need not be asked after all, now that the lock is held; None to ask it."""
    if force:
        return None
    if look.failure is not None and look.failure.holds_back(now):
        return RefreshOutcome.BACKING_OFF
    if look.is_current(now if fresh_after is None else max(now, fresh_after)):
        return RefreshOutcome.FRESH
    return None


def refresh(
    resource: Resource, tools: Tools, *, force: bool = False, fresh_after: float | None = None
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
    with tools.reporter.reporting(resource) as running:
        running.ended = _refresh(resource, tools, force=force, fresh_after=fresh_after)
        return running.ended.outcome


def _refresh(resource: Resource, tools: Tools, *, force: bool, fresh_after: float | None) -> Ended:
    lifetime, masters = tools.settings.lock_ttl, tools.lock_masters
    try:
        with lease(resource, tools.redis, masters=masters, lifetime=lifetime) as held:
            if held is None:
                return Ended(RefreshOutcome.BUSY)
            return _refresh_locked(resource, tools, held, force=force, fresh_after=fresh_after)
    except NoQuorumError:
        put_off(tools.redis, resource, seconds=lifetime)
        return Ended(RefreshOutcome.NO_LOCK)


def _refresh_locked(
    resource: Resource, tools: Tools, held: Lease, *, force: bool, fresh_after: float | None
) -> Ended:
    token = tools.writer.draw_token(resource)
    look = tools.store.look(resource)
    outcome = reason_not_to(look, tools.clock(), force=force, fresh_after=fresh_after)
    if outcome is not None:
        return Ended(outcome, look)
    if tools.bulkhead.holds_back(resource):
        return Ended(RefreshOutcome.HELD_BACK, look)
    return _Attempt(resource, tools, held, token, look).run()


@dataclass(frozen=True)
class _Attempt:
    """One try, with the lock held."""

    resource: Resource
    tools: Tools
    held: Lease
    token: int
    look: Look

    def run(self) -> Ended:
        try:
            # Content is as old as the question, not as the answer.
            asked_at, known = self.tools.clock(), self._known()
            content = self._fetch(known, asked_at)
            self.tools.privileges.check()
            self.held.check()
            outcome = self._store(content, known, asked_at=asked_at)
            return Ended(outcome, self.look, pages=len(content.pages))
        except OriginError as error:
            return self._fail(error)
        except LeaseLostError:
            return Ended(RefreshOutcome.FENCED, self.look)
        except HeldBackError:
            return Ended(RefreshOutcome.HELD_BACK, self.look)
        except NotNowError:
            return Ended(RefreshOutcome.BUSY, self.look)
        except RedisError:
            raise
        except BaseTimeoutException:
            return self._fail(OriginError(FailureKind.TIMEOUT, "the refresh took too long"))
        except Exception as error:
            # Without a record the readers would ask for the same failure every second.
            reason = f"an error of our own ({type(error).__name__}); see the refresher's log"
            self._fail(OriginError(FailureKind.INTERNAL, reason))
            raise

    def _fetch(self, known: Known, asked_at: float) -> Content | Unchanged:
        question = question_of(self.resource)
        if not self.resource.include_private:
            check_open(self.tools.origin, self.tools.redis)
        if self.resource.expanded:
            return self._fetch_list(question, known)
        return AnswerReader(
            question,
            self.resource.tracked,
            self.tools.origin,
            self._parent(),
            self.tools.privileges,
            self._note_findings,
            self.tools.clock,
        ).read(known, asked_at=asked_at)

    def _parent(self) -> Parent | None:
        """The repository that the resource lies below."""
        resource, tools = parent_repository(self.resource), self.tools
        if resource is None:
            return None
        return Parent(
            resource,
            tools.redis,
            tools.store,
            lambda one, force: refresh(one, tools, force=force),
            tools.clock,
        )

    def _fetch_list(self, question: Question, known: Known) -> Content | Unchanged:
        settings = self.tools.settings
        assert question.shape.items is not None, "only lists are expanded"
        reader = ListReader(
            self.tools.origin,
            self.resource,
            question.path,
            question.shape.items,
            max_pages=settings.list_max_pages,
            max_bytes=settings.list_max_bytes,
            before_each=self.held.check,
            note_length=self._note_length,
            note_progress=partial(self.tools.reporter.progress, self.resource),
            clock=self.tools.clock,
            concurrency=settings.github_concurrency,
            note_findings=self._note_findings,
        )
        read = reader.read(known.pages, known.ids)
        if isinstance(read, Unchanged):
            return read
        return contents.of_list(read, ranked=self.resource.ranked)

    def _note_length(self, pages: int) -> None:
        """Leave a list for later that turned out to be large, if there is no room for it."""
        bulkhead = self.tools.bulkhead
        if bulkhead.note(self.resource, pages) and bulkhead.holds_back(self.resource):
            raise HeldBackError

    def _note_findings(self, answer: OriginAnswer, findings: Findings) -> None:
        self.tools.privileges.note_findings(answer, findings)
        operation = self.resource.operation
        self.tools.reporter.note_dropped(operation.id if operation else "", findings.dropped)

    def _known(self) -> Known:
        """The stored pages; none without an entry, which alone they could confirm."""
        if self.look.metadata is None:
            return Known()
        return page_store.load(self.tools.redis, self.resource)

    def _store(
        self, content: Content | Unchanged, known: Known, *, asked_at: float
    ) -> RefreshOutcome:
        writer, before = self.tools.writer, self.look.metadata
        if isinstance(content, Content) and (before is None or before.etag != content.etag):
            stored = writer.store(
                self.resource, content, token=self.token, now=asked_at, told=self.look.told
            )
            return RefreshOutcome.UPDATED if stored else RefreshOutcome.FENCED
        confirmed = writer.confirm(
            self.resource, content, known, token=self.token, now=asked_at, told=self.look.told
        )
        return RefreshOutcome.UNCHANGED if confirmed else RefreshOutcome.FENCED

    def _fail(self, error: OriginError) -> Ended:
        failure = next_failure(
            self.look.failure,
            kind=error.kind,
            reason=error.reason,
            status=error.status,
            retry_after=error.retry_after,
            now=self.tools.clock(),
            longest=self.tools.settings.backoff_max,
            chance=self.tools.chance(),
        )
        recorded = self.tools.writer.record_failure(self.resource, failure, token=self.token)
        outcome = RefreshOutcome.FAILED if recorded else RefreshOutcome.FENCED
        return Ended(outcome, self.look, failure)

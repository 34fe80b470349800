"""The refresh of one resource: take its lock, read its state, ask GitHub, store the result.

Whether GitHub is asked is decided by `reason_not_to`, and what an error means by
`failure_to_record`: both are pure functions. `_Attempt` only carries out what they decide.
"""

from dataclasses import dataclass, replace

from redis import RedisError, ResponseError
from rq.timeouts import BaseTimeoutException

from refresher.backoff import next_failure
from refresher.content.content import Content
from refresher.content.page import Unchanged
from refresher.content.unfinished_reading import NOTHING_READ, UnfinishedReading
from refresher.context import RefreshContext
from refresher.errors import NoQuorumError, NotNowError, OriginError, StoppedError, StoredPageError
from refresher.fetch import Fetch, Fetched
from refresher.lock.refresh_lock import HeldLock
from refresher.look_again import LookAgain
from refresher.page_look import pages_to_keep
from refresher.reporting.reporter import Ended
from refresher.second_look import SecondLook
from refresher.storage.change_detection import changed_at, is_new, is_rebuilt, is_worse
from refresher.storage.handled import Handled
from refresher.storage.page_store import KnownPages
from refresher.visibility.withdrawn import shown
from shared.outcomes import FailureKind, RefreshOutcome
from shared.queueing import put_off
from shared.redis.entry_state import EntryState
from shared.redis.scripts import is_of_wrong_type
from shared.resources.resource import Resource


def reason_not_to(
    state: EntryState, now: float, *, force: bool, fresh_after: float | None = None
) -> RefreshOutcome | None:
    """Why GitHub need not be asked after all, now that the lock is held; None to ask GitHub."""
    if force:
        return None
    if state.is_held_back(now):
        return RefreshOutcome.BACKING_OFF
    if state.is_current(now if fresh_after is None else max(now, fresh_after)):
        return RefreshOutcome.FRESH
    return None


def failure_to_record(error: Exception) -> OriginError:
    """The failure to record for an error that ended a refresh.

    Errors of our own are recorded too: otherwise readers would request the same failing refresh
    every second.
    """
    if isinstance(error, OriginError):
        return error
    if isinstance(error, BaseTimeoutException):
        return OriginError(FailureKind.TIMEOUT, "the refresh took too long")
    reason = f"an error of our own ({type(error).__name__}); see the refresher's log"
    return OriginError(FailureKind.INTERNAL, reason)


# Refreshes in a row that found no reading of a list that is whole, after which its pages are
# requested without conditions.
_UNSETTLED_MOST = 3


def refresh(
    resource: Resource,
    context: RefreshContext,
    *,
    force: bool = False,
    fresh_after: float | None = None,
) -> RefreshOutcome:
    """Bring a resource's entry up to date with GitHub.

    Whatever fails, the stored entry stays unchanged.

    Args:
        resource: the resource to refresh.
        context: everything that the refresh needs.
        force: ask GitHub even if the entry is fresh.
        fresh_after: ask GitHub unless the entry is fresh beyond this Unix time (seconds).

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    with context.reporter.reporting(resource) as running:
        try:
            running.ended = _refresh(resource, context, force=force, fresh_after=fresh_after)
        except ResponseError as error:
            if not is_of_wrong_type(error) or not context.storage.mender.mend_for(resource):
                raise
            running.ended = _refresh(resource, context, force=force, fresh_after=fresh_after)
        return running.ended.outcome


def _refresh(
    resource: Resource, context: RefreshContext, *, force: bool, fresh_after: float | None
) -> Ended:
    locks = context.conditions.locks
    try:
        with locks.take(resource) as held:
            if held is None:
                return Ended(RefreshOutcome.BUSY)
            return _refresh_locked(resource, context, held, force=force, fresh_after=fresh_after)
    except NoQuorumError:
        put_off(context.storage.redis, resource, seconds=locks.lifetime)
        return Ended(RefreshOutcome.NO_LOCK, pause=locks.lifetime)


def _refresh_locked(
    resource: Resource,
    context: RefreshContext,
    held: HeldLock,
    *,
    force: bool,
    fresh_after: float | None,
) -> Ended:
    token, state = context.storage.begin(resource, held.add_mark)
    outcome = reason_not_to(state, context.clock.now(), force=force, fresh_after=fresh_after)
    if outcome is not None:
        return Ended(outcome, state)
    large_lists = context.conditions.large_lists
    if not large_lists.try_enter(resource):
        return Ended(RefreshOutcome.HELD_BACK, state)
    try:
        attempt = _Attempt(
            resource, context, held, token, state, is_forced=force, fresh_after=fresh_after or 0.0
        )
        return attempt.run()
    finally:
        large_lists.leave(resource)


@dataclass(frozen=True)
class _Attempt:
    """One attempt to refresh a resource, with its lock held."""

    resource: Resource
    context: RefreshContext
    held: HeldLock
    token: int
    state: EntryState
    is_forced: bool
    fresh_after: float

    def run(self) -> Ended:
        try:
            return self._fetch_and_store()
        except NotNowError:
            return Ended(RefreshOutcome.BUSY, self.state)
        except StoppedError:
            return Ended(RefreshOutcome.HELD_BACK, self.state)
        except RedisError:
            raise
        except Exception as error:
            ended = self._fail(failure_to_record(error))
            if not isinstance(error, OriginError | BaseTimeoutException):
                raise
            return ended

    def _fetch_and_store(self) -> Ended:
        # Content is as old as the request, not as the response.
        asked_at = self.context.clock.now()
        known = self._known(asked_at)
        try:
            return self._store_what_is_read(known, self._unfinished(known, asked_at), asked_at)
        except StoredPageError:  # a text may be read only when its segment is compressed
            known = KnownPages(ids=known.ids)
            return self._store_what_is_read(known, NOTHING_READ, asked_at)

    def _store_what_is_read(
        self, known: KnownPages, unfinished: UnfinishedReading, asked_at: float
    ) -> Ended:
        fetched = self._fetch().read(known, asked_at=asked_at, unfinished=unfinished)
        if isinstance(fetched, RefreshOutcome):
            return Ended(fetched, self.state)
        self.context.privileges.check()
        if self.held.is_lost:
            return Ended(RefreshOutcome.FENCED, self.state)
        allowed = shown(self.resource, fetched.content, self.context.storage, asked_at=asked_at)
        fetched = replace(fetched, content=allowed.content)
        content = fetched.content
        if isinstance(content, Content) and is_worse(self.state, content):
            return Ended(RefreshOutcome.NOT_READY, self.state, pause=content.longest or 0.0)
        # A list is as old as its oldest page. Those that events do not name need no look.
        looked_at = asked_at if unfinished.is_page_look else min(asked_at, fetched.began.asked_at)
        now = self.context.clock.now()
        look = LookAgain(
            self.resource,
            self.context.storage,
            self.state,
            known,
            looked_at,
            now,
            is_page_look=unfinished.is_page_look,
        )
        mark = fetched.began.invalidated_by
        is_older = not self.is_forced and look.is_older(content)
        if is_older or (allowed.is_older and self.state.metadata is not None):
            return self._leave(look.handled(content, mark, taken=False), content)
        if not self.is_forced and look.is_older_on_demand(content):
            content = Unchanged(known.pages)
            fetched = replace(fetched, content=content)
        return self._store_believed(fetched, known, look.handled(content, mark, taken=True))

    def _leave(self, handled: Handled, content: Content | Unchanged) -> Ended:
        """Leave the stored content: a look showed older content."""
        noted = self.context.writer.note_look(self.resource, handled, token=self.token)
        outcome = RefreshOutcome.OLDER if noted else RefreshOutcome.FENCED
        return Ended(outcome, self.state, pages=len(content.pages))

    def _store_believed(self, fetched: Fetched, known: KnownPages, handled: Handled) -> Ended:
        """Store the content, unless a second look has to confirm it: then record that."""
        second_look = SecondLook(self.resource, self.context.storage, self.state, known)
        judged = second_look.judge(
            fetched.content, asked_at=fetched.began.asked_at, ended_at=self.context.clock.now()
        )
        if judged.suspicion is None:
            outcome = self._store(fetched.content, known, fetched.began.asked_at, handled)
        else:
            recorded = self.context.writer.record_suspicion(
                self.resource, judged.suspicion, token=self.token
            )
            outcome = RefreshOutcome.DOUBTED if recorded else RefreshOutcome.FENCED
        pages = len(fetched.content.pages)
        return Ended(outcome, self.state, pages=pages, note=judged.note)

    def _fetch(self) -> Fetch:
        def refresh_other(resource: Resource, force: bool) -> RefreshOutcome:
            return refresh(resource, self.context, force=force)

        return Fetch(self.resource, self.context, self.held, self.state, self.token, refresh_other)

    @property
    def _never_settles(self) -> bool:
        """Whether a wrong 304 for one page of a list may put an item on two pages, each time."""
        failure = self.state.failure
        if failure is None or failure.kind is not FailureKind.UNSETTLED:
            return False
        return failure.attempts >= _UNSETTLED_MOST

    def _known(self, now: float) -> KnownPages:
        """The stored pages; none without an entry: pages can only confirm an entry.

        A single response cannot be rebuilt from its page, which lacks its header fields: it is
        requested without a condition. Nor is anything confirmed for an operator, who may want to
        be rid of what a wrong 304 confirms.
        """
        if self.state.metadata is None:
            return KnownPages()
        known = self.context.storage.pages(self.resource)
        if self.state.is_to_be_read_anew or self._never_settles:
            return KnownPages(ids=known.ids)
        # Half of it: content from the new address would be believed for a whole one.
        lifetime = self.context.policy.lifetimes.of_resource(self.resource) / 2
        pages = [page.asked_before(now - lifetime) for page in known.pages]
        known = replace(known, pages=pages)
        is_expanded = self.resource.kind.is_expanded
        return KnownPages() if is_rebuilt(self.state, known) and not is_expanded else known

    def _unfinished(self, known: KnownPages, now: float) -> UnfinishedReading:
        """The interrupted reading to go on with; an operator's refresh requests every page."""
        is_whole = self.is_forced or self.state.is_to_be_read_anew
        if is_whole or not self.resource.kind.is_expanded:
            return NOTHING_READ
        unfinished = self.context.storage.readings.load(self.resource, known, now=now)
        if unfinished.recent or unfinished.older:
            return unfinished
        return pages_to_keep(self.state, known, now=now, fresh_until=max(now, self.fresh_after))

    def _store(
        self, content: Content | Unchanged, known: KnownPages, asked_at: float, handled: Handled
    ) -> RefreshOutcome:
        """Write the entry if its content, or what is derived from it, has changed."""
        writer, metadata = self.context.writer, self.state.metadata
        known = replace(
            known,
            was_shown=metadata is not None and metadata.status < 400,
            is_first=metadata is None and self.state.suspicion is None,
        )
        if isinstance(content, Content) and (is_new(self.state, content) or self._is_damaged()):
            stored = writer.store(
                self.resource,
                content,
                known,
                token=self.token,
                now=asked_at,
                handled=handled,
                # Later than when a client was sent the content before.
                changed_at=changed_at(self.state, content, self.context.clock.now()),
            )
            return RefreshOutcome.UPDATED if stored else RefreshOutcome.FENCED
        confirmed = writer.confirm(
            self.resource,
            content,
            known,
            token=self.token,
            now=asked_at,
            handled=handled,
        )
        return RefreshOutcome.UNCHANGED if confirmed else RefreshOutcome.FENCED

    def _is_damaged(self) -> bool:
        """Whether no reader can read the entry. Only checked for who wants it to be read anew."""
        if not self.state.is_to_be_read_anew:
            return False
        return self.context.storage.store.read(self.resource) is None

    def _fail(self, error: OriginError) -> Ended:
        policy = self.context.policy
        failure = next_failure(
            self.state.failure,
            error,
            now=self.context.clock.now(),
            longest=policy.longest_backoff,
            chance=policy.chance(),
        )
        recorded = self.context.writer.record_failure(self.resource, failure, token=self.token)
        outcome = RefreshOutcome.FAILED if recorded else RefreshOutcome.FENCED
        return Ended(outcome, self.state, failure)

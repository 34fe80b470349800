"""The refresh of one resource: take its lock, read its state, ask GitHub, store the result.

Whether GitHub is asked is decided by `reason_not_to`, and what an error means by
`failure_to_record`: both are pure functions. `_Attempt` only carries out what they decide.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from redis import RedisError
from rq.timeouts import BaseTimeoutException

from refresher.backoff import next_failure
from refresher.content import content as contents
from refresher.content.content import Content
from refresher.content.list_reader import ListLimits, ListReader, PageRead, ReadAgain, ReadList
from refresher.content.narrowing import Findings
from refresher.content.page import Unchanged
from refresher.errors import NoQuorumError, NotNowError, OriginError
from refresher.github.client import GitHubClient
from refresher.github.private_mode import check_open
from refresher.github.question import Question, question_of
from refresher.github.response import GitHubResponse
from refresher.lock.admission import Admission
from refresher.lock.refresh_lock import HeldLock
from refresher.reporting.reporter import Ended, Reporter
from refresher.storage.entry_writer import EntryWriter
from refresher.storage.page_store import KnownPages
from refresher.storage.storage import Storage
from refresher.visibility.access import Access
from refresher.visibility.askers import ANONYMOUS_ONLY, Askers
from refresher.visibility.parent_repository import Parent, parent_repository
from refresher.visibility.privileges import Privileges
from refresher.visibility.response_reader import PublicContent, ResponseReader
from shared.clock import Clock
from shared.outcomes import FailureKind, RefreshOutcome
from shared.queueing import put_off
from shared.redis.store import EntryState
from shared.resources.resource import Resource
from shared.settings import Settings


@dataclass(frozen=True)
class RefreshPolicy:
    """The rules of refreshes.

    Args:
        list_limits: how much is read of a list.
        longest_backoff: seconds of the longest pause after failures.
        chance: returns a random number from 0 up to 1, for the jitter of pauses.
    """

    list_limits: ListLimits
    longest_backoff: float
    chance: Callable[[], float]

    @classmethod
    def of(cls, settings: Settings, *, chance: Callable[[], float]) -> "RefreshPolicy":
        """The policy in the settings."""
        limits = ListLimits(
            settings.list_max_pages, settings.list_max_bytes, settings.github_concurrency
        )
        return cls(limits, settings.backoff_max, chance)


@dataclass(frozen=True)
class RefreshContext:
    """Everything that refreshes need; one for each work horse.

    Args:
        storage: the fleet's Redis.
        origin: GitHub.
        admission: the locks, and the limit of large lists.
        reporter: reports how each refresh ended.
        privileges: what is known about the credentials.
        policy: the rules of refreshes.
        clock: the process's clock.
    """

    storage: Storage
    origin: GitHubClient
    admission: Admission
    reporter: Reporter
    privileges: Privileges
    policy: RefreshPolicy
    clock: Clock

    @property
    def writer(self) -> EntryWriter:
        """The writing side of the storage."""
        return self.storage.writer


def reason_not_to(
    state: EntryState, now: float, *, force: bool, fresh_after: float | None = None
) -> RefreshOutcome | None:
    """Why GitHub need not be asked after all, now that the lock is held; None to ask GitHub."""
    if force:
        return None
    if state.failure is not None and state.failure.holds_back(now):
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
        redis.RedisError: Redis is away.
    """
    with context.reporter.reporting(resource) as running:
        running.ended = _refresh(resource, context, force=force, fresh_after=fresh_after)
        return running.ended.outcome


def _refresh(
    resource: Resource, context: RefreshContext, *, force: bool, fresh_after: float | None
) -> Ended:
    locks = context.admission.locks
    try:
        with locks.take(resource) as held:
            if held is None:
                return Ended(RefreshOutcome.BUSY)
            return _refresh_locked(resource, context, held, force=force, fresh_after=fresh_after)
    except NoQuorumError:
        put_off(context.storage.redis, resource, seconds=locks.lifetime)
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
    state = context.storage.store.state(resource)
    outcome = reason_not_to(state, context.clock.now(), force=force, fresh_after=fresh_after)
    if outcome is not None:
        return Ended(outcome, state)
    if context.admission.large_lists.holds_back(resource):
        return Ended(RefreshOutcome.HELD_BACK, state)
    return _Attempt(resource, context, held, token, state).run()


@dataclass(frozen=True)
class _Attempt:
    """One attempt to refresh a resource, with its lock held."""

    resource: Resource
    context: RefreshContext
    held: HeldLock
    token: int
    state: EntryState

    def run(self) -> Ended:
        try:
            return self._fetch_and_store()
        except NotNowError:
            return Ended(RefreshOutcome.BUSY, self.state)
        except RedisError:
            raise
        except Exception as error:
            ended = self._fail(failure_to_record(error))
            if not isinstance(error, OriginError | BaseTimeoutException):
                raise
            return ended

    def _fetch_and_store(self) -> Ended:
        # Content is as old as the request, not as the response.
        asked_at, known = self.context.clock.now(), self._known()
        content = self._fetch(known, asked_at)
        if isinstance(content, RefreshOutcome):
            return Ended(content, self.state)
        self.context.privileges.check()
        if self.held.is_lost:
            return Ended(RefreshOutcome.FENCED, self.state)
        outcome = self._store(content, known, asked_at=asked_at)
        return Ended(outcome, self.state, pages=len(content.pages))

    def _fetch(self, known: KnownPages, asked_at: float) -> Content | Unchanged | RefreshOutcome:
        """The content that GitHub has now, or the outcome if the refresh ends without it."""
        question = question_of(self.resource)
        if not self.resource.include_private:
            check_open(self.context.origin, self.context.storage.redis)
        access = Access(question, self.context.origin, self._parent(), self.context.privileges)
        askers = access.askers()
        if askers is None:
            return contents.not_found()
        try:
            read = self._read(access, askers, known)
        except OriginError as error:
            # Tracked content outlives a 404, unless it lies below a repository: that may have
            # become private, and what it held must not be served any longer.
            if error.status == 404 and access.parent is not None:
                return contents.not_found()
            raise
        if isinstance(read, RefreshOutcome):
            return read
        if read.is_of_a_credential and not access.was_public(asked_at):
            return contents.not_found()
        return read.content

    def _read(
        self, access: Access, askers: Askers, known: KnownPages
    ) -> PublicContent | RefreshOutcome:
        if self.resource.kind.is_expanded:
            return self._fetch_list(access, askers, known)
        return ResponseReader(access, self, self.context.clock).read(known, askers)

    def _parent(self) -> Parent | None:
        """The repository that the resource lies below."""
        resource, context = parent_repository(self.resource), self.context
        if resource is None:
            return None
        return Parent(
            resource,
            context.storage,
            lambda one, force: refresh(one, context, force=force),
            context.clock,
        )

    def _fetch_list(
        self, access: Access, askers: Askers, known: KnownPages
    ) -> PublicContent | RefreshOutcome:
        """Read the list page by page, as long as the lock is held."""
        reader, is_of_a_credential = self._list_reader(access.question, askers), False
        is_made_anew = self._is_made_anew(known)
        with closing(reader.read(known.pages, known.ids, is_made_anew=is_made_anew)) as steps:
            while not self.held.is_lost:
                match next(steps):
                    case PageRead() as page:
                        if self._must_wait(page):
                            return RefreshOutcome.HELD_BACK
                        if not _is_believed(page, access, askers):
                            break
                        is_of_a_credential = is_of_a_credential or page.is_of_a_credential
                    case ReadAgain():
                        pass
                    case ReadList() as read if access.has_doubtful_marks(read.findings):
                        break
                    case ReadList() as read:
                        content = contents.of_list(read, self.resource.kind)
                        return PublicContent(content, is_of_a_credential)
                    case Unchanged() as unchanged:
                        return PublicContent(unchanged)
            else:
                return RefreshOutcome.FENCED
        return self._fetch_list(access, ANONYMOUS_ONLY, KnownPages(ids=known.ids))

    def _list_reader(self, question: Question, askers: Askers) -> ListReader:
        assert question.shape.items is not None, "GitHub describes a list"
        return ListReader(
            self.context.origin,
            self.resource,
            question.path,
            question.shape.items,
            self.context.policy.list_limits,
            self.context.clock,
            askers.among,
        )

    def _must_wait(self, page: PageRead) -> bool:
        """Report a page; return whether the list must be left for later: it is a large one."""
        if page.findings is not None:
            self.note_findings(page.response, page.findings)
        if page.number == 1 and self.context.admission.must_wait(self.resource, page.pages):
            return True
        if page.is_one_of_several:
            self.context.reporter.progress(self.resource, page.number, page.pages)
        return False

    def note_findings(self, response: GitHubResponse, findings: Findings) -> None:
        """Report the non-public parts of a response."""
        self.context.privileges.note_findings(response, findings)
        operation = self.resource.operation
        self.context.reporter.note_dropped(operation.id if operation else "", findings.dropped)

    def _known(self) -> KnownPages:
        """The stored pages; none without an entry, because they could confirm nothing else.

        A single response cannot be made anew from its page, which lacks its header fields: it is
        requested without a condition.
        """
        if self.state.metadata is None:
            return KnownPages()
        known = self.context.storage.pages(self.resource)
        is_expanded = self.resource.kind.is_expanded
        return KnownPages() if self._is_made_anew(known) and not is_expanded else known

    def _is_made_anew(self, known: KnownPages) -> bool:
        """Whether the entry is made anew even if GitHub says that nothing changed."""
        return known.is_outdated or not self.state.is_complete

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


def _is_believed(page: PageRead, access: Access, askers: Askers) -> bool:
    """Whether a page may be stored; if not, the list is requested without a credential."""
    if access.is_elsewhere(page.response):
        return False
    if page.findings is None:
        return True
    is_doubtful = access.is_doubtful(page.response, page.findings)
    return access.is_confirmed(askers, page.response) and not is_doubtful

"""Fetches a resource from GitHub: privacy first, then the list or the single response."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

from refresher.content import content as contents
from refresher.content.content import Content
from refresher.content.list_reader import ListReader, PageRead, ReadAgain, ReadList, Step
from refresher.content.narrowing import Findings
from refresher.content.page import Unchanged
from refresher.content.unfinished_reading import NOTHING_READ, Began, UnfinishedReading
from refresher.context import RefreshContext
from refresher.errors import OriginError, StoredPageError
from refresher.github.private_mode import check_open
from refresher.github.question import question_of
from refresher.github.response import GitHubResponse
from refresher.lock.refresh_lock import HeldLock
from refresher.storage.change_detection import is_rebuilt
from refresher.storage.page_store import KnownPages
from refresher.storage.unfinished_readings import ReadingInProgress
from refresher.visibility.access import Access
from refresher.visibility.askers import ANONYMOUS_ONLY, Askers
from refresher.visibility.parent_repository import Parent, parent_repository
from refresher.visibility.response_reader import PublicContent, ResponseReader
from shared.outcomes import FailureKind, RefreshOutcome
from shared.queueing import JOB_TIMEOUT
from shared.redis.entry_state import EntryState
from shared.resources.resource import Resource


@dataclass(frozen=True)
class Fetched:
    """What GitHub has now.

    Args:
        content: to store.
        began: when the reading began: the content is as old as that, and handles that invalidation.
    """

    content: Content | Unchanged
    began: Began


@dataclass(frozen=True)
class Fetch:
    """One resource's fetch, with its lock held.

    Args:
        resource: the resource.
        context: everything that refreshes need.
        held: the lock of the resource; the fetch of a list stops when it is lost.
        state: of the stored entry.
        token: fencing token of the refresh.
        refresh: refreshes another resource, here the parent repository; the second argument asks
            GitHub even if its entry is fresh.
    """

    resource: Resource
    context: RefreshContext
    held: HeldLock
    state: EntryState
    token: int
    refresh: Callable[[Resource, bool], RefreshOutcome]

    def read(
        self, known: KnownPages, *, asked_at: float, unfinished: UnfinishedReading = NOTHING_READ
    ) -> Fetched | RefreshOutcome:
        """The content that GitHub has now, or the outcome if the refresh ends without it.

        Args:
            known: the stored pages; empty to read without conditions.
            asked_at: Unix time in seconds of now: content is as old as its request.
            unfinished: an interrupted reading of the list, to go on with.

        Raises:
            OriginError: GitHub sent nothing that can be stored.
            NotNowError: another refresher is refreshing the parent repository.
        """
        question = question_of(self.resource)
        if not self.resource.include_private:
            check_open(self.context.origin, self.context.storage.redis)
        began = Began(asked_at, self.state.invalidated_by)
        origin = self.context.origin.selecting(question.selected)
        access = Access(question, origin, self._parent(), self.context.privileges)
        askers = access.askers()
        if askers is None:
            return Fetched(access.answer_of_parent(), began)
        try:
            read, began = self._read(access, askers, known, began, unfinished)
        except OriginError as error:
            if self._is_gone(error, access):
                return Fetched(contents.not_found(), began)
            instead = self._instead(error, access, askers)
            if instead is None:
                raise
            read = instead
        if isinstance(read, RefreshOutcome):
            return read
        content = self._with_links(read.content)
        is_for_some = read.is_of_a_credential and not isinstance(content, Unchanged)
        if is_for_some and not access.was_public(asked_at):
            return Fetched(access.answer_of_parent(), began)
        return Fetched(content, began)

    def _is_gone(self, error: OriginError, access: Access) -> bool:
        """Whether a 404 replaces the content.

        What `ORGS` tracks outlives a 404, unless it lies below a repository: that may have become
        private, and what it held must not be served any longer.
        """
        is_named = self.resource.kind.is_named and error.kind is FailureKind.STATUS
        return error.status == 404 and (is_named or access.parent is not None)

    def _instead(self, error: OriginError, access: Access, askers: Askers) -> PublicContent | None:
        """What is stored instead of what could not be read; None if the refresh fails."""
        kind = self.resource.kind
        if kind.outlives_errors:
            return None
        if error.not_served_because is not None:
            refusal = contents.not_served(error.not_served_because)
            return PublicContent(refusal, askers != ANONYMOUS_ONLY)
        is_answer = error.kind is FailureKind.STATUS and 400 <= (error.status or 0) < 500
        if not (kind.is_expanded and is_answer):
            return None
        # GitHub's error about a list is read as any other: with its words, if they are public.
        found = ResponseReader(access, self, self.context.clock).read(KnownPages(), askers)
        is_error = isinstance(found.content, Content) and found.content.status >= 400
        return found if is_error else None

    def _with_links(self, content: Content | Unchanged) -> Content | Unchanged:
        """The content itself, or the stored body with another `Link`, if a 304 carried that.

        Raises:
            StoredPageError: the entry is gone meanwhile.
        """
        stored = self.state.metadata
        if not isinstance(content, Unchanged) or content.links is None or stored is None:
            return content
        entry = self.context.storage.store.read(self.resource)
        if entry is None or entry.metadata.version != stored.version:
            raise StoredPageError
        return contents.with_links(entry, content)

    def _read(
        self,
        access: Access,
        askers: Askers,
        known: KnownPages,
        began: Began,
        unfinished: UnfinishedReading,
    ) -> tuple[PublicContent | RefreshOutcome, Began]:
        """What was read, and when its reading began."""
        if not self.resource.kind.is_expanded:
            stored = self.state.metadata
            patience = self.context.policy.not_ready_patience if stored is None else 0.0
            links = () if stored is None else stored.links
            reader = ResponseReader(access, self, self.context.clock, patience, links)
            return reader.read(known, askers), began
        list_reader = self._list_reader(access, askers)
        if not list_reader.may_go_on(unfinished):
            unfinished = NOTHING_READ
        reading = ReadingInProgress(
            self.context.storage.readings,
            self.resource,
            token=self.token,
            stored={page.url: page.body for page in known.pages},
            began=began,
            unfinished=unfinished,
        )
        is_rebuild = is_rebuilt(self.state, known)
        steps = list_reader.read(
            known.pages, known.ids, unfinished=unfinished, is_rebuilt=is_rebuild
        )
        read = self._follow(steps, reading, access, askers)
        if read is None:
            return self._read(
                access, ANONYMOUS_ONLY, KnownPages(ids=known.ids), began, NOTHING_READ
            )
        return read, reading.began

    def _parent(self) -> Parent | None:
        """The repository that the resource lies below."""
        resource, context = parent_repository(self.resource), self.context
        if resource is None:
            return None
        return Parent(resource, context.storage, self.refresh, context.clock)

    def _follow(
        self,
        reader: Generator[Step, None, None],
        reading: ReadingInProgress,
        access: Access,
        askers: Askers,
    ) -> PublicContent | RefreshOutcome | None:
        """Read the list page by page, as long as the lock is held.

        None if a page must not be stored: then the list is requested without a credential.
        """
        is_of_a_credential = False
        with closing(reader) as steps:
            while not self.held.is_lost:
                match reading.next_of(steps):
                    case PageRead() as page:
                        if not page.is_kept and not _is_believed(page, access, askers):
                            self._note(page)
                            return None
                        reading.note(page)
                        if self._must_wait(page) or self._must_stop(page):
                            return RefreshOutcome.HELD_BACK
                        is_of_a_credential = is_of_a_credential or page.is_of_a_credential
                    case ReadAgain():
                        reading.read_again()
                    case ReadList() as read if access.has_doubtful_marks(read.findings):
                        return None
                    case ReadList() as read:
                        content = contents.of_list(read, self.resource.kind)
                        return PublicContent(content, is_of_a_credential)
                    case Unchanged() as unchanged:
                        return PublicContent(unchanged)
        return RefreshOutcome.FENCED

    def _list_reader(self, access: Access, askers: Askers) -> ListReader:
        items = access.question.shape.items
        assert items is not None, "GitHub describes a list"
        return ListReader(
            access.origin,
            self.resource,
            access.question.target,
            items,
            self.context.policy.list_limits,
            self.context.clock,
            askers.among,
        )

    def _must_stop(self, page: PageRead) -> bool:
        """Whether the process shuts down before the list is read; its pages are kept.

        Raises:
            OriginError: the refresh takes too long.
        """
        if self.held.is_lost:  # the refresh ends without a failure
            return False
        if self.held.age > JOB_TIMEOUT.total_seconds():
            raise OriginError(FailureKind.TIMEOUT, "the refresh took too long")
        return page.is_one_of_several and self.context.should_stop()

    def _must_wait(self, page: PageRead) -> bool:
        """Report a page; return whether the list must be left for later: it is a large one."""
        self._note(page)
        if page.number == 1 and self.context.conditions.must_wait(self.resource, page.pages):
            return True
        if page.is_one_of_several and not page.is_kept:
            self.context.reporter.progress(self.resource, page.number, page.pages)
        return False

    def _note(self, page: PageRead) -> None:
        if page.findings is not None:
            self.note_findings(page.response, page.findings)

    def note_findings(self, response: GitHubResponse, findings: Findings) -> None:
        """Report the non-public parts of a response."""
        self.context.privileges.note_findings(response, findings)
        operation = self.resource.operation
        self.context.reporter.note_dropped(operation.id if operation else "", findings.dropped)


def _is_believed(page: PageRead, access: Access, askers: Askers) -> bool:
    """Whether a page may be stored; if not, the list is requested without a credential."""
    if access.is_elsewhere(page.response):
        return False
    if page.findings is None:
        return True
    is_doubtful = access.is_doubtful(page.response, page.findings)
    return access.is_confirmed(askers, page.response) and not is_doubtful

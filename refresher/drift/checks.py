"""Every so often, compares a stored page with GitHub's unconditional answer.

A difference is remembered. When a refresh has confirmed what is stored, at least `looks.LAST_S`
later, the page is compared once more. What has stayed as it was, although GitHub shows something
else again, is drift: a 304 was wrong, or what we have made of GitHub's answers is. It is told of,
and the resource is read anew without conditions, as for an operator.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from refresher.content.page import Page, ask
from refresher.drift.comparison import (
    WHOLE,
    Digests,
    check_is_content,
    differences,
    lasting,
    shown_by,
    shown_by_stored,
)
from refresher.drift.doubts import Doubt, Doubts
from refresher.drift.samples import Sample, Samples, is_undisputed
from refresher.errors import OriginError, StoppedError, StoredPageError
from refresher.github.client import GitHubClient
from refresher.github.question import question_of
from refresher.lease import Lease
from refresher.storage.storage import Storage
from shared import drift
from shared.budgets import ANONYMOUS
from shared.clock import Clock
from shared.drift import HEALED_FOR_S, Drift, PutOff
from shared.looks import LAST_S
from shared.outcomes import DriftCheck, FailureKind
from shared.queue_order import Priority
from shared.queueing import RefreshQueue, RefreshRequest
from shared.redis import keys
from shared.redis.entry_state import EntryState
from shared.redis.lifetimes import Lifetimes
from shared.resources.resource import Resource

log = logging.getLogger("refresher")

_LONGEST_S = 120.0  # of a check; another process may begin one after that
# Without a credential there are 60 requests an hour: one check an hour, where there is one a minute
# with a credential.
_ANONYMOUS = 60
_FAILING = 10  # pauses after a check that GitHub did not answer
# Lifetimes after which a doubt about content that nobody has refreshed is dropped.
_PATIENCE = 3.0
_MOST_NAMED = 20  # items in a line of the log


@dataclass(frozen=True)
class CheckPolicy:
    """How often, and for how long.

    Args:
        interval: seconds between two checks of the fleet.
        lifetimes: of content.
        new_id: makes ids of checks.
        clock: the process's clock.
    """

    interval: float
    lifetimes: Lifetimes
    new_id: Callable[[], str]
    clock: Clock


class _Compared(NamedTuple):
    """A page as it is stored, and as GitHub shows it."""

    page: Page
    stored: Digests
    shown: Digests


class DriftChecks:
    """The checks of one process; methods may raise `redis.RedisError`.

    Args:
        storage: the fleet's Redis.
        samples: chooses what is compared.
        queue: of refreshes.
        origin: GitHub.
        note: told of the result of each check.
        policy: how often, and for how long.
    """

    def __init__(
        self,
        storage: Storage,
        samples: Samples,
        queue: RefreshQueue,
        *,
        origin: GitHubClient,
        note: Callable[[Resource, DriftCheck], None],
        policy: CheckPolicy,
    ) -> None:
        self._storage = storage
        self._redis = storage.redis
        self._samples = samples
        self._queue = queue
        self._origin = origin
        self._note = note
        self._policy = policy
        self._doubts = Doubts(storage.redis)

    def step(self) -> float:
        """Do a check if it is the fleet's turn; return the seconds until the next one."""
        turn = Lease(self._redis, keys.DRIFT_TURN, self._policy.new_id())
        left = turn.take(_LONGEST_S)
        if left:
            return left
        pause, note, now = self._policy.interval, "", self._policy.clock.now()
        try:
            if not self._storage.store.pulse().is_suspended:
                intervals = self._check(now)
                pause *= intervals or _FAILING
                note = "" if intervals else PutOff(now, now + pause).to_json()
        finally:
            turn.last(pause, note=note)  # the next check comes after that
        return pause

    def _check(self, now: float) -> int:
        """Compare one page; return the number of intervals until the next check, 0 if it failed."""
        doubted, doubt = self._doubted(now)
        sample = doubted or self._samples.one(now)
        if sample is None:
            return 1
        resource, state = sample
        try:
            compared = self._compare(resource, state, None if doubt is None else doubt.url)
        except (OriginError, StoppedError) as error:
            log.info("what is stored of %s was not compared with GitHub: %s", resource.name, error)
            self._note(resource, DriftCheck.FAILED)
            if doubt is not None and _is_limit(error):
                # It comes before all other pages, and may last for as long as the limit does.
                self._doubts.drop(resource.id)
            return 0
        except StoredPageError:
            compared = None
        result = self._judge(resource, doubt, compared, now)
        self._note(resource, result)
        is_anonymous = compared is not None and compared.page.asked_by == ANONYMOUS
        return _ANONYMOUS if is_anonymous else 1

    def _judge(
        self, resource: Resource, doubt: Doubt | None, compared: _Compared | None, now: float
    ) -> DriftCheck:
        """What a comparison means; a doubt is remembered, or ends."""
        if doubt is not None:
            self._doubts.drop(resource.id)
        if compared is None:
            return DriftCheck.CHANGED
        if doubt is None:
            found = differences(compared.stored, compared.shown)
            if not found:
                return DriftCheck.SAME
            self._doubts.add(resource, Doubt(resource.name, compared.page.url, now, found))
            return DriftCheck.DIFFERENT
        items = lasting(doubt.differences, compared.stored, compared.shown)
        if not items:
            return DriftCheck.OLDER
        self._heal(resource, items, now)
        return DriftCheck.DRIFT

    def _heal(self, resource: Resource, items: list[str], now: float) -> None:
        named = tuple(sorted(one for one in items if one != WHOLE))
        which = f"items {', '.join(named[:_MOST_NAMED])}" if named else "all of it"
        fields = {"resource": resource.name, "items": list(named)}
        is_healed = any(
            one.resource == resource.name and now - HEALED_FOR_S < one.at <= now
            for one in drift.read(self._redis)
        )
        log.warning(
            "drift: what is stored of %s differs from GitHub's although GitHub has confirmed it "
            "(%s); it %s",
            resource.name,
            which,
            "was read anew within the last hour" if is_healed else "is read anew",
            extra={"fields": fields},
        )
        if is_healed:
            return
        with self._redis.pipeline() as pipeline:
            drift.add(pipeline, Drift(now, resource.name, named))
            pipeline.execute()
        self._queue.force(resource)

    def _doubted(self, now: float) -> tuple[Sample | None, Doubt | None]:
        """A resource in doubt that a refresh has confirmed since, and the doubt; None for none."""
        for field, doubt in self._doubts.all():
            resource = None if doubt is None else self._samples.named(doubt.name)
            if doubt is None or resource is None or resource.id != field:
                self._doubts.drop(field)
                continue
            state = self._storage.store.state(resource)
            if self._is_confirmed(resource, state, doubt, now):
                return (resource, state), doubt
            lifetime = self._policy.lifetimes.of_resource(resource)
            is_late = not doubt.at <= now <= doubt.at + LAST_S + _PATIENCE * max(lifetime, LAST_S)
            if state.metadata is None or state.metadata.status != 200 or is_late:
                self._doubts.drop(field)
        return None, None

    def _is_confirmed(
        self, resource: Resource, state: EntryState, doubt: Doubt, now: float
    ) -> bool:
        """Whether a refresh has confirmed what is stored, long enough after the difference.

        A refresh of a list may cost many requests: the next usual one is waited for.
        """
        metadata = state.metadata
        if metadata is None or not is_undisputed(state):
            return False
        if metadata.validated_at >= doubt.at + LAST_S:
            return True
        if now >= doubt.at + LAST_S and not resource.kind.is_expanded:
            request = RefreshRequest(
                resource, Priority.STALE, due=now, fresh_after=metadata.fresh_until
            )
            self._queue.ask(request)
        return False

    def _compare(self, resource: Resource, state: EntryState, url: str | None) -> _Compared | None:
        """A page as it is stored and as GitHub shows it; None if it has changed meanwhile.

        Args:
            resource: that is compared.
            state: of its entry.
            url: of the page; None for one at random.

        Raises:
            OriginError: GitHub did not show the page.
            StoppedError: no request may be sent in time.
            StoredPageError: the page is damaged or gone.
        """
        known = self._storage.pages(resource)
        pages = [page for page in known.pages if url is None or page.url == url]
        if not pages or known.is_outdated:
            return None
        page, question = pages[self._samples.number(len(pages))], question_of(resource)
        origin = self._origin.selecting(question.selected)
        # The credential that got the page: others see other items on it.
        response = ask(origin, page.url, page, None, among=frozenset({page.asked_by}))
        check_is_content(response, question, origin.base, self._policy.clock.now())
        if response.credential != page.asked_by:
            reason = "the credential that got the page may not be used now"
            raise OriginError(FailureKind.RATE_LIMITED, reason)
        shown = shown_by(response, page, resource, question)
        stored = shown_by_stored(page, resource, question, response)
        after = self._storage.store.state(resource)
        is_same = is_undisputed(after) and after.metadata == state.metadata
        return None if stored is None or not is_same else _Compared(page, stored, shown)


def _is_limit(error: Exception) -> bool:
    """Whether the credential that got a page may not be used now, or no more requests are sent."""
    return isinstance(error, OriginError) and error.kind is FailureKind.RATE_LIMITED

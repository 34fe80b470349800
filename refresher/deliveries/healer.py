"""Looks for lost deliveries now and then, in one process of the fleet, and asks for them again.

A look lists what GitHub has tried to deliver since the last one. What was lost (`lost`) is written
down, then asked for: each try is counted before it is made, so a process that is killed between the
two makes no try too many. If too many were lost to ask for each, or if the list does not reach back
to the last look, everything is made stale instead, and they are done with.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from refresher.deliveries import listing, lost
from refresher.deliveries.everything import Everything
from refresher.deliveries.hook_api import HookApi, HookError
from refresher.deliveries.listing import Listing
from refresher.deliveries.lost import Judged, Lost
from refresher.deliveries.record import HookState, LostLeaseError, Record
from refresher.deliveries.sources import HookAddress, Source
from shared.lost_deliveries import Fate, LookReport, SourceReport

log = logging.getLogger("refresher")

# GitHub asks for a second between two requests that are not a GET.
_APART_S = 1.0
_REFUSED = frozenset({400, 404, 410, 422})  # this delivery cannot be sent again


@dataclass(frozen=True)
class Surroundings:
    """What a look needs of its process.

    Args:
        now: returns Unix time in seconds, by Redis's clock.
        wait: waits for a number of seconds, or until the process shuts down.
        is_stopping: returns whether it does.
        is_paused: returns whether GitHub must not be asked for anything; may raise
            `redis.RedisError`.
        count: counts deliveries by what became of them.
    """

    now: Callable[[], float]
    wait: Callable[[float], object]
    is_stopping: Callable[[], bool]
    is_paused: Callable[[], bool]
    count: Callable[[Fate, int], None]


class _StopError(Exception):
    """The process shuts down."""


class Healer:
    """Looks for lost deliveries; methods may raise `redis.RedisError`.

    Args:
        record: what is remembered.
        apis: the sources of webhooks, each with what makes its client for a look.
        address: of the webhooks that lead here.
        everything: all content.
        interval: seconds between two looks.
        surroundings: the rest.
    """

    def __init__(
        self,
        record: Record,
        apis: Mapping[Source, Callable[[], HookApi]],
        address: HookAddress,
        everything: Everything,
        *,
        interval: float,
        surroundings: Surroundings,
    ) -> None:
        self._record = record
        self._apis = apis
        self._address = address
        self._everything = everything
        self._interval = interval
        self._own = surroundings

    def step(self) -> None:
        """Look, if a look is due and no other process has begun it."""
        own = self._own
        if not self._apis or own.is_stopping() or own.is_paused() or not self._record.take():
            return
        try:
            reports = [self._look_at(source, make()) for source, make in self._apis.items()]
            report = LookReport(own.now(), self._interval, reports)
            self._record.report(report.to_json())
            self._record.rest(self._interval)
        except LostLeaseError:
            log.warning("looking for lost deliveries took too long: another refresher does it")
        except _StopError:
            self._record.rest(_APART_S)

    def _look_at(self, source: Source, api: HookApi) -> SourceReport:
        report = SourceReport(source.name)
        paused_until = self._record.paused_until(source.name, now=self._own.now())
        if paused_until is not None:
            return replace(report, problem="GitHub asked for a pause", paused_until=paused_until)
        known: dict[str, Mapping[str, Lost]] = {}
        problem, until = "", 0.0
        try:
            self._go_on()
            hooks = source.hooks(api, self._address)
            known = {hook: {} for hook in hooks}
            for hook in hooks:
                known[hook] = self._heal(hook, api)
        except HookError as error:
            problem = error.reason
            said = f"{problem}: {error.said}" if error.said else problem
            log.warning("lost deliveries of %s are not looked for: %s", source.name, said)
            if error.pause:
                until = self._record.pause(source.name, error.pause, now=self._own.now())
        return _report(replace(report, problem=problem, paused_until=until), known)

    def _heal(self, hook: str, api: HookApi) -> Mapping[str, Lost]:
        """Look at one webhook; return its lost deliveries."""
        record, own = self._record, self._own
        state = record.state(hook)
        is_first, state = state is None, state or HookState()
        self._go_on()
        found = listing.read(api, hook, since=state.newest, etag=state.etag, go_on=self._go_on)
        known = record.lost(hook)
        attempts = [one for one in found.attempts if one.id > state.settled or one.guid in known]
        after = _after(state, found, is_first=is_first)
        arrived = record.arrived([*known, *(one.guid for one in attempts)])
        judged = lost.judge(attempts, known, arrived, is_first=is_first, newest=after.newest)
        own.count(Fate.LOST, judged.found)
        own.count(Fate.HEALED, len(judged.healed))
        is_cut = not found.is_complete and not is_first
        if len(judged.waiting) > lost.MOST_WAITING or is_cut:
            return self._cover(hook, after, found, judged, known)
        judged = lost.gave_up(judged, now=own.now(), interval=self._interval)
        own.count(Fate.GIVEN_UP, judged.given_up)
        gone = known.keys() - judged.lost.keys()
        record.write(hook, state=after, lost=judged.lost, forgotten=gone)
        # Without a reader that could take a delivery, a try would be wasted.
        if judged.waiting and record.has_readers(own.now()):
            return self._ask(hook, api, judged, after.last_success)
        return judged.lost

    def _cover(
        self,
        hook: str,
        after: HookState,
        found: Listing,
        judged: Judged,
        known: Mapping[str, Lost],
    ) -> Mapping[str, Lost]:
        """Make everything stale instead of asking for each; return what is still lost."""
        number = len(judged.waiting)
        log.warning("%d deliveries were lost, or more: all content is refreshed instead", number)
        self._record.keep()
        self._everything.make_stale()
        given_up = {guid: one for guid, one in judged.lost.items() if one.is_given_up}
        self._record.write(
            hook,
            state=_settled(after, found),
            lost=given_up,
            forgotten=known.keys() - given_up.keys(),
        )
        self._own.count(Fate.COVERED, number)
        return given_up

    def _ask(
        self, hook: str, api: HookApi, judged: Judged, last_success: float
    ) -> Mapping[str, Lost]:
        """Ask for the deliveries that are due; return what is lost."""
        known = dict(judged.lost)
        due = lost.due(
            judged.waiting,
            last_success=last_success,
            now=self._own.now(),
            interval=self._interval,
        )
        for number, guid in enumerate(list(due)):
            if number:
                self._own.wait(_APART_S)
            self._go_on()
            known[guid] = known[guid].asked_again(self._own.now())
            self._record.write(hook, lost={guid: known[guid]})
            try:
                api.post(f"{hook}/deliveries/{known[guid].id}/attempts")
            except HookError as error:
                if error.status not in _REFUSED:
                    raise
                log.warning("GitHub does not send a lost delivery again: %s", error.reason)
                known[guid] = replace(known[guid], is_given_up=True)
                self._record.write(hook, lost={guid: known[guid]})
                self._own.count(Fate.GIVEN_UP, 1)
            else:
                self._own.count(Fate.ASKED, 1)
        return known

    def _go_on(self) -> None:
        """Keep the lease before a request; raises if no request may be sent any more."""
        if self._own.is_stopping():
            raise _StopError
        self._record.keep()


def _after(state: HookState, found: Listing, *, is_first: bool) -> HookState:
    """How far the list was read after a look."""
    if is_first:  # what succeeded before is not remembered by readers, and has arrived all the same
        state = _settled(state, found)
    newest = max((one.at for one in found.attempts), default=0.0)
    success = max((one.at for one in found.attempts if one.is_success), default=0.0)
    return replace(
        state,
        newest=max(newest, state.newest),
        etag=found.etag,
        last_success=max(success, state.last_success),
    )


def _settled(state: HookState, found: Listing) -> HookState:
    """The same, and nothing is asked for that is listed now and not remembered as lost."""
    newest = max((one.id for one in found.attempts), default=0)
    return replace(state, settled=max(newest, state.settled))


def _report(report: SourceReport, known: Mapping[str, Mapping[str, Lost]]) -> SourceReport:
    everything: Sequence[Lost] = [one for lost in known.values() for one in lost.values()]
    given_up = sum(one.is_given_up for one in everything)
    return replace(
        report,
        hooks=len(known),
        waiting=len(everything) - given_up,
        given_up=given_up,
        codes=sorted({one.code for one in everything})[:5],
    )

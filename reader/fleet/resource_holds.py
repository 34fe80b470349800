"""What holds a resource back. Pure."""

from collections.abc import Iterator

from reader.fleet.disclosure import is_withheld
from reader.fleet.view import TrackedView
from shared.holds import Hold, HoldKind
from shared.looks import LAST_S
from shared.outcomes import RefreshOutcome

_REST_S = 30.0  # seconds of a rest from which it is told of: shorter ones follow every refresh


def resource_holds(view: TrackedView) -> Iterator[Hold]:
    """What holds a resource back, as far as it is known of the resource itself."""
    name, failure, doubt = view.resource.name, view.failure, view.suspicion
    if failure is not None:
        times = "once" if failure.attempts == 1 else f"{failure.attempts} times in a row"
        reason = f"{failure.reason} ({times})"
        yield Hold(HoldKind.FAILING, name, reason, failure.since, failure.retry_at)
    if doubt is not None:
        yield Hold(HoldKind.DOUBTED, name, doubt.reason, doubt.at, doubt.look_at)
    yield from _rest(view)
    if view.event_at is not None:
        reason = "GitHub reported a change, and may show older content for some seconds"
        until = view.event_at + LAST_S
        yield Hold(HoldKind.LOOKED_AT_AGAIN, name, reason, view.event_at, until)
    metadata = view.metadata
    if metadata is None:
        return
    if not view.is_complete and view.left_until > view.now:
        reason = "another release stored it, and derived something that this one does not"
        since = metadata.validated_at
        yield Hold(HoldKind.LEFT_ALONE, name, reason, since, view.left_until)
    if is_withheld(view):
        reason = f"GitHub does not show it to everybody, so clients get a {metadata.status}"
        since, until = metadata.changed_at, metadata.fresh_until
        yield Hold(HoldKind.WITHHELD, name, reason, since, until)


def _rest(view: TrackedView) -> Iterator[Hold]:
    """The rest after the last refresh."""
    last, until, name = view.record.last, view.record.rests_until, view.resource.name
    if last is None or until <= view.now:
        return
    if last.outcome is RefreshOutcome.NO_LOCK:
        reason = "too few of the servers in REDLOCK_URLS responded to the last refresh"
        yield Hold(HoldKind.NO_LOCK, name, reason, last.at, until)
    elif last.outcome is RefreshOutcome.NOT_READY:
        reason = "GitHub is still computing it (202)"
        yield Hold(HoldKind.RESTING, name, reason, last.at, until)
    elif until - last.at >= _REST_S:
        reason = "it rests for as long as its last refresh took, or by what that cost"
        yield Hold(HoldKind.RESTING, name, reason, last.at, until)

"""Everything that holds something back, from a snapshot of the fleet. Pure.

Each finds what `shared.holds` names; what is private is not in the fleet that strangers see
(`disclosure`), and is then counted only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import floor

from reader.fleet.hold_facts import AT_ONCE
from reader.fleet.refusal_words import REFUSALS
from reader.fleet.resource_holds import resource_holds
from reader.fleet.view import Fleet, TrackedView
from shared.budgets import CredentialBudget, is_beside
from shared.drift import HEALED_FOR_S
from shared.holds import Hold, HoldKind, redis_away
from shared.looks import LAST_S
from shared.outcomes import Refusal
from shared.point_buckets import REFILL_S
from shared.redis.trouble import Refusing, redis_refuses
from shared.settings import Settings
from shared.withdrawal import IN_FORCE_S

# Refusals for the load; all others follow from another hold.
_OF_LOAD = frozenset(
    {
        *(Refusal.THREADS, Refusal.CLIENT_THREADS, Refusal.CLIENT_WAITS),
        *(Refusal.TIMED_OUT, Refusal.TOO_LATE),
    }
)
_PATIENCE = 3  # lifetimes after which a doubt about drift is dropped


@dataclass(frozen=True)
class Viewpoint:
    """Who looks, and what that process knows besides the fleet.

    Args:
        settings: of the process.
        away_since: Unix time in seconds since when Redis has not responded; None if it responds.
        refusing: why Redis refuses writes; None if it takes them.
        is_operator: whoever looks may know for which owners GitHub refuses a credential.
    """

    settings: Settings
    away_since: float | None = None
    refusing: Refusing | None = None
    is_operator: bool = False


def holds_of(fleet: Fleet | None, viewpoint: Viewpoint) -> list[Hold]:
    """Everything that holds something back: the whole fleet first, then resources.

    Args:
        fleet: from Redis, as whoever looks may see it; None while Redis is unavailable.
        viewpoint: whoever looks.
    """
    found = list(_local(viewpoint))
    if fleet is None:
        return found
    found += [*pauses(fleet), *_budgets(fleet, viewpoint), *_load(fleet, viewpoint.settings)]
    found += [*_drift(fleet, viewpoint.settings), *_deliveries(fleet), *_withdrawn(fleet)]
    views = [*fleet.tracked, *(one.view for one in fleet.on_demand)]
    found += [hold for view in views for hold in resource_holds(view)]
    return [_since_noted(hold, fleet) for hold in found]


def holds_of_resource(view: TrackedView, fleet: Fleet, settings: Settings) -> list[Hold]:
    """What holds one resource back: every refresh of the fleet, or this resource."""
    name = view.resource.name
    of_drift = [one for one in _drift_of_resources(fleet, settings) if one.about == name]
    found = [*pauses(fleet), *resource_holds(view), *of_drift]
    return [_since_noted(hold, fleet) for hold in found]


# What begins anew while it lasts: the first time counts.
_RENEWED = frozenset({HoldKind.ORIGIN_PAUSED, HoldKind.CREDENTIAL_REFUSED, HoldKind.DOUBTED})


def _since_noted(hold: Hold, fleet: Fleet) -> Hold:
    """The hold with the time since when it has been seen, if its records do not say it."""
    noted = fleet.hold_facts.noted.get(hold.key)
    if hold.since is None:
        first = fleet.now if noted is None else noted
        return hold if hold.is_private else replace(hold, since=first)
    if noted is not None and noted < hold.since and hold.kind in _RENEWED:
        return replace(hold, since=noted)
    return hold


def _local(viewpoint: Viewpoint) -> Iterator[Hold]:
    """What the process itself has met."""
    if viewpoint.away_since is not None:
        yield redis_away(viewpoint.away_since)
    if viewpoint.refusing is not None:
        yield redis_refuses(viewpoint.refusing.trouble, viewpoint.refusing.since)


def pauses(fleet: Fleet) -> Iterator[Hold]:
    """Pauses of all refreshes, by an operator and by GitHub."""
    if fleet.suspended:
        reason = "an operator has paused refreshing"
        hold = Hold(HoldKind.PAUSED, "all refreshes", reason, fleet.suspended_since)
        yield _since_noted(hold, fleet)
    if fleet.origin_paused_until > fleet.now:
        reason = "GitHub reported a secondary rate limit"
        since, until = fleet.origin_paused_since or None, fleet.origin_paused_until
        hold = Hold(HoldKind.ORIGIN_PAUSED, "all requests to GitHub", reason, since, until)
        yield _since_noted(hold, fleet)


def _budgets(fleet: Fleet, viewpoint: Viewpoint) -> Iterator[Hold]:
    for one in fleet.budgets:
        yield from _limit(one, fleet, viewpoint.settings)
    asides = {one.credential: one for one in fleet.budgets if one.aside_until > fleet.now}
    for one in asides.values():
        said = one.aside_reason and f": {one.aside_reason}"
        since = one.aside_since or None
        yield Hold(
            HoldKind.CREDENTIAL_ASIDE,
            f"credential {one.credential}",
            f"GitHub rejects it{said}",
            since,
            one.aside_until,
        )
    known = {one.credential: one for one in fleet.budgets}.values()
    for one in known if viewpoint.is_operator else ():
        for refusal in one.refused:
            if refusal.until > fleet.now:
                yield Hold(
                    HoldKind.CREDENTIAL_REFUSED,
                    f"credential {one.credential} for {refusal.place}",
                    f"GitHub refuses it there: {refusal.message}",
                    refusal.at,
                    refusal.until,
                )


def _limit(budget: CredentialBudget, fleet: Fleet, settings: Settings) -> Iterator[Hold]:
    """The limit of an hour that is spent, or of which the rest is kept for tracked content."""
    if budget.resets_at <= fleet.now or not budget.limit:
        return
    of_class = "" if budget.resource_class == "core" else f" ({budget.resource_class})"
    by = "without a credential" if budget.is_anonymous else f"with {budget.credential}"
    if not budget.remaining:
        reason = f"GitHub's limit of {budget.limit} requests an hour is used up"
        about, kind = f"requests to GitHub {by}{of_class}", HoldKind.LIMIT_SPENT
        yield Hold(kind, about, reason, None, budget.resets_at)
        return
    # As `Budget` reserves: nothing is kept of what tracked content hardly ever uses.
    is_kept = not is_beside(budget, fleet.budgets) or bool(settings.track)
    if is_kept and budget.remaining <= floor(budget.limit * settings.budget_reserve):
        reason = f"the {budget.remaining} that are left are kept for tracked content"
        about, kind = f"requests on demand {by}{of_class}", HoldKind.LIMIT_KEPT
        yield Hold(kind, about, reason, None, budget.resets_at)


def _load(fleet: Fleet, settings: Settings) -> Iterator[Hold]:
    points, sizes = fleet.points, fleet.point_sizes
    if points is not None and sizes is not None:
        for party, left, size in (
            ("tracked content", points.tracked, sizes.tracked),
            ("content on demand", points.on_demand, sizes.on_demand),
        ):
            if size > 0 and left < 1:
                reason = "its requests of the minute (ORIGIN_POINTS_PER_MINUTE) are used up"
                until = fleet.now + (1 - left) * REFILL_S / size
                yield Hold(HoldKind.POINTS_SPENT, f"requests for {party}", reason, None, until)
    if fleet.queue_length >= settings.queue_max:
        reason = f"{fleet.queue_length} refreshes are queued (QUEUE_MAX)"
        yield Hold(HoldKind.QUEUE_FULL, "content on demand that is not held", reason)
    for cause in sorted(_OF_LOAD):
        number = fleet.refused.get(cause, 0)
        if number:
            status, words = REFUSALS[cause]
            about = f"requests for content that is not held ({cause})"
            reason = f"{number} of the last minute got a {status}: {words}"
            yield Hold(HoldKind.CLIENTS_REFUSED, about, reason)
    tokens = fleet.hold_facts.wrong_tokens
    if tokens.number > AT_ONCE:
        reason = f"{tokens.number} were sent in this minute and the one before"
        about = "responses to wrong ADMIN_TOKENs"
        yield Hold(HoldKind.TOKENS_GUESSED, about, reason, None, tokens.until)


def _drift(fleet: Fleet, settings: Settings) -> Iterator[Hold]:
    put_off = fleet.hold_facts.put_off
    if put_off is not None and put_off.until > fleet.now:
        about = "comparisons of stored pages with GitHub's"
        reason = "GitHub did not show the page of the last one"
        yield Hold(HoldKind.DRIFT_PUT_OFF, about, reason, put_off.since, put_off.until)
    yield from _drift_of_resources(fleet, settings)


def _drift_of_resources(fleet: Fleet, settings: Settings) -> Iterator[Hold]:
    """Doubts, and the resources of which drift was found in the last hour, once each."""
    longest = LAST_S + _PATIENCE * max(settings.cache_ttl, settings.on_demand_ttl, LAST_S)
    for doubt in fleet.hold_facts.doubts:
        reason = "a page differs from GitHub's, and may only be older"
        until = doubt.at + longest
        yield Hold(HoldKind.DRIFT_DOUBTED, doubt.resource, reason, doubt.at, until)
    latest = {one.resource: one for one in reversed(fleet.drift)}
    for one in latest.values():
        if one.at <= fleet.now < one.at + HEALED_FOR_S:
            reason = "what was stored differed from GitHub's, although GitHub had confirmed it"
            until = one.at + HEALED_FOR_S
            yield Hold(HoldKind.DRIFT_HEALED, one.resource, reason, one.at, until)


def _deliveries(fleet: Fleet) -> Iterator[Hold]:
    report = fleet.redelivery
    for source in () if report is None else report.problems:
        assert report is not None
        until = source.paused_until or report.at + report.interval
        about = f"looks for lost deliveries of {source.name}"
        yield Hold(HoldKind.DELIVERIES_UNLISTED, about, source.problem, None, until)


def _withdrawn(fleet: Fleet) -> Iterator[Hold]:
    """What is withdrawn by name, or only how much is, and likewise what is withheld."""
    reason = "GitHub reported that it is private or deleted"
    names = [key for key in fleet.withdrawn_at if not key.startswith("#")]
    for name in names or fleet.withdrawn_at:
        at = fleet.withdrawn_at[name]
        yield Hold(HoldKind.WITHDRAWN, f"repository {name}", reason, at, at + IN_FORCE_S)
    if fleet.withdrawn and not fleet.withdrawn_at:
        about = _number(fleet.withdrawn, "repository", "repositories")
        yield Hold(HoldKind.WITHDRAWN, about, reason)
    if fleet.undisclosed:
        reason = "not readable for everybody, or not read yet"
        about = _number(fleet.undisclosed, "path of TRACK", "paths of TRACK")
        yield Hold(HoldKind.WITHHELD, about, reason)


def _number(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"

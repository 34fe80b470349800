"""What is left of GitHub's rate limits, as the refreshers last noted it: the reading side.

The history of a budget is a ring in a hash: the field is a slot's number modulo `SLOTS`, the value
`"{number of the slot since 1970} {remaining}"`. So it never grows, and values of an earlier turn of
the ring are recognised by their slot number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from redis import Redis

from shared.credential_refusals import CredentialRefusal, refusals_in
from shared.redis import keys
from shared.stored_numbers import count_of, number_of
from shared.time_bounds import LONGEST_PAUSE, time_of

ANONYMOUS = "anonymous"  # the id for requests without a credential
SLOT_SECONDS = 300
SLOTS = 72  # six hours
# Seconds for which the fleet remembers what GitHub said about a credential, and what showed that it
# sees more than the public.
REMEMBER_S = 24 * 3600
_LOW = 0.1  # share of a limit


def name_of(credential: str, resource_class: str) -> str:
    """The name of a budget."""
    return f"{credential} {resource_class}"


def slot_at(now: float) -> int:
    """The number of the slot of a Unix time in seconds."""
    return int(now // SLOT_SECONDS)


@dataclass(frozen=True)
class Point:
    """The remaining requests at the end of a slot.

    Args:
        at: Unix time in seconds of the slot's start.
        remaining: requests.
    """

    at: float
    remaining: int


@dataclass(frozen=True)
class CredentialBudget:
    """What is left of a credential's hourly limit in one class of limits.

    Args:
        credential: its public id; never a secret.
        resource_class: GitHub's name of the limit, usually "core".
        limit: requests per hour.
        remaining: requests left.
        resets_at: Unix time in seconds; 0 if it is not known.
        aside_until: Unix time in seconds until when the credential is not used; 0 if it is used.
        aside_since: Unix time in seconds of GitHub's refusal; 0 if it is used.
        scopes: as GitHub last reported them, which it does for classic tokens only; None if it did
            not, empty for a token without scopes.
        expires: expiry date as GitHub writes it; None if it has none, or GitHub did not report it.
        history: of the last hours, oldest first.
        privileges: signs that it sees more than the public, in words, sorted.
        aside_reason: why it is not used, in one line; empty if that is not known.
        refused: places in which GitHub refuses it, the latest first.
    """

    credential: str
    resource_class: str
    limit: int
    remaining: int
    resets_at: float
    aside_until: float = 0
    aside_since: float = 0
    scopes: str | None = None
    expires: str | None = None
    history: Sequence[Point] = ()
    privileges: Sequence[str] = ()
    aside_reason: str = ""
    refused: Sequence[CredentialRefusal] = ()

    @property
    def is_anonymous(self) -> bool:
        """Whether this is the budget of requests without a credential."""
        return self.credential == ANONYMOUS

    @property
    def is_low(self) -> bool:
        """Whether less than a tenth of the limit is left."""
        return self.remaining < _LOW * max(self.limit, 1)


def read(redis: Redis, *, now: float) -> list[CredentialBudget]:
    """All known budgets; may raise `redis.RedisError`.

    Budgets that expired from Redis are omitted: an unused budget cannot be exhausted.

    Args:
        redis: holds them.
        now: Unix time in seconds, by Redis's clock.
    """
    pairs = _known(redis)
    with redis.pipeline(transaction=False) as pipeline:
        for credential, resource_class in pairs:
            pipeline.hgetall(keys.budget(credential, resource_class))
            pipeline.hgetall(keys.budget_history(credential, resource_class))
            pipeline.hgetall(keys.credential(credential))
            pipeline.hgetall(keys.aside(credential))
            pipeline.hgetall(keys.privileges(credential))
            pipeline.hgetall(keys.refused(credential))
        pipeline.mget(keys.RESUMED)
        *replies, (resumed,) = pipeline.execute()
    bounds = _Bounds(now, time_of(resumed))
    sextuples = zip(*(iter(replies),) * 6, strict=True)
    return [
        replace(
            _budget(pair, *found[:4], privileges=found[4], bounds=bounds),
            refused=refusals_in(found[5], resumed=bounds.resumed, now=now),
        )
        for pair, found in zip(pairs, sextuples, strict=True)
        if found[0]
    ]


def read_left(redis: Redis, *, now: float) -> list[CredentialBudget]:
    """All known budgets without history and what describes their credentials.

    Cheap: readers do it once a second. May raise `redis.RedisError`; the arguments as for `read`.
    """
    pairs = _known(redis)
    with redis.pipeline(transaction=False) as pipeline:
        for credential, resource_class in pairs:
            pipeline.hgetall(keys.budget(credential, resource_class))
            pipeline.hgetall(keys.aside(credential))
        pipeline.mget(keys.RESUMED)
        *replies, (resumed,) = pipeline.execute()
    bounds = _Bounds(now, time_of(resumed))
    return [
        _budget(pair, known, {}, {}, aside, privileges={}, bounds=bounds)
        for pair, known, aside in zip(pairs, replies[::2], replies[1::2], strict=True)
        if known
    ]


def _known(redis: Redis) -> list[list[str]]:
    """Credential and class of each budget, sorted."""
    names = cast(list[bytes], redis.zrange(keys.BUDGETS, 0, -1))
    pairs = (name.decode(errors="replace").split(" ", 1) for name in names)
    return sorted(pair for pair in pairs if len(pair) == 2)  # any other is damaged


def _budget(
    pair: Sequence[str],
    known: Mapping[bytes, bytes],
    history: Mapping[bytes, bytes],
    credential: Mapping[bytes, bytes],
    aside: Mapping[bytes, bytes],
    *,
    privileges: Mapping[bytes, bytes],
    bounds: "_Bounds",
) -> CredentialBudget:
    now = bounds.now
    limit, resets_at = count_of(known.get(b"limit")), bounds.end(known, "reset")
    # After the reset, a new hour has begun, and nothing of it is used yet.
    left = count_of(known.get(b"remaining", str(limit))) if resets_at > now else limit
    return CredentialBudget(
        credential=pair[0],
        resource_class=pair[1],
        limit=limit,
        remaining=max(0, left),
        resets_at=resets_at,
        aside_until=bounds.end(aside, "until"),
        aside_since=bounds.since(aside),
        aside_reason=aside.get(b"reason", b"").decode(errors="replace"),
        scopes=credential[b"scopes"].decode(errors="replace") if b"scopes" in credential else None,
        expires=credential[b"expires"].decode(errors="replace")
        if credential.get(b"expires")
        else None,
        history=points(history, now=now),
        privileges=sorted(
            name.decode(errors="replace")
            for name, at in privileges.items()
            if number_of(at) > now - REMEMBER_S
        ),
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


@dataclass(frozen=True)
class _Bounds:
    """What bounds the time until which something holds back requests.

    The scripts of `refresher.github.budget_scripts` read by the same rules.

    Args:
        now: Unix time in seconds, by Redis's clock.
        resumed: time of the operator's last "resume"; 0 if there was none.
    """

    now: float
    resumed: float

    def since(self, known: Mapping[bytes, bytes]) -> float:
        """The time at which a hash was recorded; 0 if it is not known."""
        return min(time_of(known.get(b"at")), self.now)

    def end(self, known: Mapping[bytes, bytes], field: str) -> float:
        """The time in a field of a hash; 0 without it, or if it was recorded before the resume."""
        at = min(time_of(known.get(b"at")) or self.now, self.now)
        if self.resumed <= self.now and at <= self.resumed:  # later: Redis's clock was set back
            return 0
        return min(time_of(known.get(field.encode())), at + LONGEST_PAUSE)


def paused_until(known: Mapping[bytes, bytes], *, resumed: float, now: float) -> float:
    """The time until which no request is sent to GitHub; 0 without a pause.

    Args:
        known: the hash `keys.PAUSE`.
        resumed: time of the operator's last "resume"; 0 if there was none.
        now: Unix time in seconds, by Redis's clock.
    """
    return _Bounds(now, resumed).end(known, "hold")


def is_beside(budget: CredentialBudget, others: Sequence[CredentialBudget]) -> bool:
    """Whether a budget is the anonymous one of a fleet that also has a credential.

    Operations that would show a credential more than the public are requested without one.
    """
    return budget.is_anonymous and not all(other.is_anonymous for other in others)


def points(history: Mapping[bytes, bytes], *, now: float) -> list[Point]:
    """The points of the ring's present turn, oldest first."""
    oldest, found = slot_at(now) - SLOTS, []
    for value in history.values():
        slot, _, remaining = value.decode(errors="replace").partition(" ")
        if count_of(slot) > oldest:
            found.append(Point(count_of(slot) * float(SLOT_SECONDS), count_of(remaining)))
    return sorted(found, key=lambda point: point.at)

"""What is left of GitHub's rate limits, as the refreshers last heard: the reading side.

The history of a budget is a ring in a hash: the field is a slot's number modulo `SLOTS`, the value
`"{number of the slot since 1970} {remaining}"`, so that it never grows, and what is left of an
earlier turn is known by its number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from redis import Redis

from shared.redis import keys

ANONYMOUS = "anonymous"  # the id of what is asked without a credential
SLOT_SECONDS = 300
SLOTS = 72  # six hours
_PRIVILEGED_FOR = 24 * 3600.0  # seconds after a privilege was last seen


def name_of(credential: str, resource_class: str) -> str:
    """What a budget is called among the others."""
    return f"{credential} {resource_class}"


def slot_at(now: float) -> int:
    """The number of the slot of a Unix time in seconds."""
    return int(now // SLOT_SECONDS)


@dataclass(frozen=True)
class Point:
    """What was left at the end of a slot.

    Args:
        at: Unix time in seconds of the slot's beginning.
        remaining: requests.
    """

    at: float
    remaining: int


@dataclass(frozen=True)
class CredentialBudget:
    """What is left of a credential's hour in one class of limits.

    Args:
        credential: its public id; never a secret.
        resource_class: GitHub's name of the limit: "core", most often.
        limit: requests an hour.
        remaining: requests.
        resets_at: Unix time in seconds; 0 where it is not known.
        aside_until: Unix time in seconds until when it is not used; 0 where it is.
        scopes: as GitHub named them last, which it does for classic tokens alone; None where it did
            not, empty for a token without any.
        expires: the date of its end in GitHub's words; None where it has none, or did not say.
        history: of the last hours, oldest first.
        privileges: what shows that it sees more than the public, in words, sorted.
    """

    credential: str
    resource_class: str
    limit: int
    remaining: int
    resets_at: float
    aside_until: float = 0
    scopes: str | None = None
    expires: str | None = None
    history: Sequence[Point] = ()
    privileges: Sequence[str] = ()

    @property
    def is_anonymous(self) -> bool:
        """Whether it is of what is asked without a credential."""
        return self.credential == ANONYMOUS


def read(redis: Redis, *, now: float) -> list[CredentialBudget]:
    """All budgets that are known; may raise `redis.RedisError`.

    One that was not used for so long that Redis has forgotten it is none that is spent.
    """
    names = cast(list[bytes], redis.zrange(keys.BUDGETS, 0, -1))
    pairs = sorted(name.decode().split(" ", 1) for name in names)
    with redis.pipeline(transaction=False) as pipeline:
        for credential, resource_class in pairs:
            pipeline.hgetall(keys.budget(credential, resource_class))
            pipeline.hgetall(keys.budget_history(credential, resource_class))
            pipeline.hgetall(keys.credential(credential))
            pipeline.get(keys.aside(credential))
            pipeline.hgetall(keys.privileges(credential))
        answers = pipeline.execute()
    quintuples = zip(*(iter(answers),) * 5, strict=True)
    return [
        _budget(pair, *found[:4], privileges=found[4], now=now)
        for pair, found in zip(pairs, quintuples, strict=True)
        if found[0]
    ]


def _budget(
    pair: Sequence[str],
    known: Mapping[bytes, bytes],
    history: Mapping[bytes, bytes],
    credential: Mapping[bytes, bytes],
    aside: bytes | None,
    *,
    privileges: Mapping[bytes, bytes],
    now: float,
) -> CredentialBudget:
    limit, resets_at = int(known.get(b"limit", 0)), float(known.get(b"reset", 0))
    # A new hour has begun, of which nobody has used anything yet.
    left = int(known.get(b"remaining", limit)) if resets_at > now else limit
    return CredentialBudget(
        credential=pair[0],
        resource_class=pair[1],
        limit=limit,
        remaining=max(0, left),
        resets_at=resets_at,
        aside_until=float(aside or 0),
        scopes=credential[b"scopes"].decode() if b"scopes" in credential else None,
        expires=credential[b"expires"].decode() if credential.get(b"expires") else None,
        history=points(history, now=now),
        privileges=sorted(
            name.decode() for name, at in privileges.items() if float(at) > now - _PRIVILEGED_FOR
        ),
    )


def is_beside(budget: CredentialBudget, others: Sequence[CredentialBudget]) -> bool:
    """Whether a budget is the anonymous one of a fleet that has a credential as well.

    What a credential would see more of is asked without one, so that the public alone is served.
    """
    return budget.is_anonymous and not all(other.is_anonymous for other in others)


def points(history: Mapping[bytes, bytes], *, now: float) -> list[Point]:
    """The points of a ring that belong to its present turn, oldest first."""
    oldest, found = slot_at(now) - SLOTS, []
    for value in history.values():
        slot, _, remaining = value.decode().partition(" ")
        if int(slot) > oldest:
            found.append(Point(int(slot) * float(SLOT_SECONDS), int(float(remaining))))
    return sorted(found, key=lambda point: point.at)

"""What the fleet's records tell of what holds something back, besides what else is shown of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from redis import Redis

from reader.fleet.redis_state import Parts
from shared.drift import DriftDoubt, PutOff, doubts_in, put_off_in
from shared.redis import keys
from shared.stored_numbers import count_of
from shared.time_bounds import is_past, showable

MINUTE_S = 60  # wrong tokens are counted by minutes of the clock
# Wrong tokens in this minute and the one before it that get a response without delay.
AT_ONCE = 5


@dataclass(frozen=True)
class WrongTokens:
    """Wrong `ADMIN_TOKEN`s that were sent lately.

    Args:
        number: in this minute of the clock and the one before it.
        until: Unix time in seconds at which none of them counts any more.
    """

    number: int = 0
    until: float = 0.0


NO_TOKENS = WrongTokens()


@dataclass(frozen=True)
class HoldFacts:
    """Facts.

    Args:
        doubts: pages that differ from GitHub's, and may only be older.
        put_off: why and until when no page is compared; None if pages are.
        wrong_tokens: that were sent lately.
        noted: Unix time in seconds since when each hold has been seen, by its key.
    """

    doubts: Sequence[DriftDoubt] = ()
    put_off: PutOff | None = None
    wrong_tokens: WrongTokens = NO_TOKENS
    noted: Mapping[str, float] = field(default_factory=dict)

    @property
    def for_everybody(self) -> "HoldFacts":
        """The facts without what only operators may know."""
        return replace(self, wrong_tokens=NO_TOKENS)

    def without(self, is_hidden: Callable[[str], bool]) -> "HoldFacts":
        """The facts without those about some resources, by their names."""
        return replace(self, doubts=[one for one in self.doubts if not is_hidden(one.resource)])


NO_FACTS = HoldFacts()


def hold_facts(redis: Redis, *, now: float) -> HoldFacts:
    """The facts; a damaged value counts as absent. May raise `redis.RedisError`.

    Args:
        redis: a client.
        now: Unix time in seconds, by Redis's clock.
    """
    minute, whole = int(now // MINUTE_S), Parts().whole
    nothing: dict[bytes, bytes] = {}
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(keys.DRIFT_DOUBTS)
        pipeline.get(keys.DRIFT_TURN)
        pipeline.hgetall(keys.HOLDS)
        pipeline.mget(keys.guesses(minute), keys.guesses(minute - 1))
        doubts, turn, holds, guesses = pipeline.execute(raise_on_error=False)
    here, before = map(count_of, whole(guesses, [None, None]))
    return HoldFacts(
        doubts_in(whole(doubts, nothing)),
        put_off_in(whole(turn, None)),
        _wrong_tokens(here, before, minute),
        _noted(whole(holds, nothing), now),
    )


def _wrong_tokens(here: int, before: int, minute: int) -> WrongTokens:
    if not here + before:
        return NO_TOKENS
    return WrongTokens(here + before, MINUTE_S * (minute + (2 if here else 1)))


def _noted(known: Mapping[bytes, bytes], now: float) -> dict[str, float]:
    found = {}
    for key, text in known.items():
        try:
            began_at = float(cast(Mapping[str, float], json.loads(text))["began_at"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
        if is_past(began_at, now):  # also False for what is no number
            found[key.decode(errors="replace")] = showable(began_at)
    return found

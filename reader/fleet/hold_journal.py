"""The log of what holds something back: one line when it begins, one when it ends.

A pause that ends by its time is ended by nobody, so one reader process of the fleet looks every few
seconds at what holds something back, and compares it with what it, or another one, saw before. That
is a hash in Redis, by `Hold.key`:

    {"kind": ..., "about": ..., "reason": ..., "since": ..., "until": ..., "began_at": ...,
     "missing_at": null, or the time at which it was gone}

`began_at` also tells the status page since when something holds that no other record knows the
beginning of. What is gone for less than `_LINGER_S` has not ended: what comes and goes all the time
makes no two lines each time.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from threading import Event, Thread
from typing import cast

from redis import Redis, RedisError
from redis.exceptions import NoPermissionError

from shared.holds import Hold
from shared.redis import keys
from shared.time_bounds import is_past

log = logging.getLogger("reader")

INTERVAL = 5.0  # seconds between two looks of the fleet
_LINGER_S = 10.0
_MOST = 1000  # holds that are remembered
_MOST_LINES = 20  # that one look logs
_KEPT_S = 24 * 3600


@dataclass(frozen=True)
class Noted:
    """A hold as it was seen.

    Args:
        hold: as of the last change.
        began_at: Unix time in seconds since when it has been seen, or held.
        missing_at: Unix time in seconds at which it was gone; None while it is there.
    """

    hold: Hold
    began_at: float
    missing_at: float | None = None

    def to_json(self) -> str:
        """The record as it is stored."""
        known = {**asdict(self.hold), "began_at": self.began_at, "missing_at": self.missing_at}
        return json.dumps(known)

    @classmethod
    def from_json(cls, text: bytes, *, now: float) -> "Noted | None":
        """The inverse of `to_json`; None if it is damaged, or of the future.

        Args:
            text: as it is stored.
            now: Unix time in seconds.
        """
        try:
            known = json.loads(text)
            hold = Hold.from_fields(known)
            began_at, missing_at = float(known["began_at"]), known["missing_at"]
            missing_at = None if missing_at is None else float(missing_at)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None
        times = (began_at, began_at if missing_at is None else missing_at)
        if hold is None or not all(is_past(one, now) for one in times):
            return None
        return cls(hold, began_at, missing_at)


@dataclass(frozen=True)
class Changes:
    """What a look has found.

    Args:
        begun: holds that are new.
        ended: holds that are over.
        written: records to write, by key.
        removed: keys of records to remove.
    """

    begun: Sequence[Noted]
    ended: Sequence[Noted]
    written: Mapping[str, Noted]
    removed: Sequence[str]


def changes(known: Mapping[str, Noted | None], present: Sequence[Hold], now: float) -> Changes:
    """Compare what was known with what holds now. Pure.

    Args:
        known: records by key; None for a damaged one.
        present: what holds something back now.
        now: Unix time in seconds.
    """
    there = {hold.key: hold for hold in present[:_MOST]}
    begun, ended, written = list[Noted](), list[Noted](), dict[str, Noted]()
    for key, hold in there.items():
        before = known.get(key)
        if before is None:
            since = now if hold.since is None else min(hold.since, now)
            begun.append(Noted(hold, since))
            written[key] = begun[-1]
        elif before.missing_at is not None or before.hold.until != hold.until:
            written[key] = replace(before, hold=hold, missing_at=None)
    removed = [key for key, before in known.items() if before is None and key not in there]
    for key, before in known.items():
        if before is None or key in there:
            continue
        if before.missing_at is None:
            written[key] = replace(before, missing_at=now)
        elif now - before.missing_at >= _LINGER_S:
            ended.append(before)
            removed.append(key)
    return Changes(begun, ended, written, removed)


class HoldJournal:
    """Logs what begins and what ends; methods may raise `redis.RedisError`.

    Args:
        redis: holds what was seen.
        holds: returns what holds something back now; None if it cannot be known.
        clock: returns Unix time in seconds, by Redis's clock.
    """

    def __init__(
        self,
        redis: Redis,
        holds: Callable[[], Sequence[Hold] | None],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._redis = redis
        self._holds = holds
        self._clock = clock
        self._stopped = Event()

    def start(self) -> None:
        """Start the thread; call it after any fork."""
        Thread(target=self._run, name="hold-journal", daemon=True).start()

    def stop(self) -> None:
        """End the thread after its current look."""
        self._stopped.set()

    def step(self) -> None:
        """Look, if no other process of the fleet has just done so."""
        turn = int(900 * INTERVAL)
        if self._redis.set(keys.HOLDS_TURN, 1, px=turn, nx=True):
            self.look()

    def look(self) -> None:
        """Log and write what has changed since the last look of the fleet."""
        present = self._holds()
        if present is None:
            return
        now = self._clock()
        stored = cast(dict[bytes, bytes], self._redis.hgetall(keys.HOLDS))
        known = {
            key.decode(errors="replace"): Noted.from_json(text, now=now)
            for key, text in stored.items()
        }
        found = changes(known, [one for one in present if not one.is_local], now)
        if stored or found.written:
            self._write(found)
        _log(found, now)

    def _write(self, found: Changes) -> None:
        with self._redis.pipeline() as pipeline:
            for key, noted in found.written.items():
                pipeline.hset(keys.HOLDS, key, noted.to_json())
            if found.removed:
                pipeline.hdel(keys.HOLDS, *found.removed)
            pipeline.expire(keys.HOLDS, _KEPT_S)
            pipeline.execute()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            try:
                self.step()
            except NoPermissionError:
                log.warning("what holds something back is not logged: the rules of Redis's users")
                return  # are those of an older release
            except (RedisError, TimeoutError):
                pass  # the synchronizer has logged it
            except Exception:
                log.exception("unexpected error while looking at what holds something back")


def _log(found: Changes, now: float) -> None:
    for noted in found.begun[:_MOST_LINES]:
        hold = replace(noted.hold, since=noted.began_at)
        level = logging.INFO if hold.is_routine else logging.WARNING
        fields = {"hold": hold.to_document()}
        log.log(level, "held back: %s", hold.words(now), extra={"fields": fields})
    for noted in found.ended[:_MOST_LINES]:
        hold, ended_at = replace(noted.hold, since=noted.began_at), noted.missing_at or now
        level = logging.INFO if hold.is_routine else logging.WARNING
        fields = {"hold": {**hold.to_document(), "ended_at": ended_at}}
        text = hold.over_words(ended_at)
        log.log(level, "no longer held back: %s", text, extra={"fields": fields})
    for what, number in (("begun", len(found.begun)), ("ended", len(found.ended))):
        if number > _MOST_LINES:
            log.warning("of what holds something back, %d more have %s", number - _MOST_LINES, what)

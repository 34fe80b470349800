"""What is wrong with a Redis that answers: named for what it is, and logged with a back-off.

Redis answers reads while it is out of memory, cannot save its data, or is a replica. Then it is not
"away": what is held is served and checked, and only writes are refused. Each client of a process
tells of the errors that it meets (`watch`), so that none is lost where the code goes on without an
answer.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any

from redis import Redis, RedisError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from shared.clock import Clock
from shared.holds import Hold, HoldKind

_LOGGED_AGAIN = 60.0  # seconds after which a trouble is logged a second time; doubled each time
_LONGEST = 3600.0  # seconds between two lines
# Seconds without a damaged value after which the next one is news.
_FORGOTTEN = 600.0
# Seconds without a refused write after which Redis must have taken one: a reader process reports
# itself every 5 s.
_QUIET = 12.0


class Trouble(StrEnum):
    """What is wrong."""

    MEMORY = "out-of-memory"  # maxmemory is reached, and nothing may be evicted
    NOT_SAVED = "cannot-save"  # MISCONF: it cannot save its data, and refuses writes for that
    READ_ONLY = "read-only"  # it is a replica
    NO_REPLICAS = "too-few-replicas"  # min-replicas-to-write
    DAMAGED = "damaged-value"  # a value is of a type that is not ours


@dataclass(frozen=True)
class Words:
    """A trouble in words.

    Args:
        title: what is wrong, in a few words.
        text: what it leads to.
        advice: what ends it.
    """

    title: str
    text: str
    advice: str


@dataclass(frozen=True)
class Refusing:
    """A Redis that refuses writes.

    Args:
        trouble: why.
        since: Unix time in seconds.
    """

    trouble: Trouble
    since: float


_NO_WRITES = (
    "It refuses writes: nothing is refreshed. Readers serve what they hold and what Redis holds; "
    "other requests get a 503."
)
WORDS: Mapping[Trouble, Words] = {
    Trouble.MEMORY: Words(
        "Redis is out of memory",
        _NO_WRITES,
        "raise maxmemory, or lower ON_DEMAND_MAX_BYTES or ON_DEMAND_KEEP",
    ),
    Trouble.NOT_SAVED: Words(
        "Redis cannot save its data (MISCONF)",
        _NO_WRITES,
        "see Redis's log; often its disk is full, or a fork fails for lack of memory",
    ),
    Trouble.READ_ONLY: Words(
        "Redis is a read-only replica",
        _NO_WRITES,
        "point REDIS_URL at the master, or at sentinels: redis+sentinel://",
    ),
    Trouble.NO_REPLICAS: Words(
        "Redis has too few replicas to take writes (min-replicas-to-write)",
        _NO_WRITES,
        "bring its replicas back",
    ),
    Trouble.DAMAGED: Words(
        "A value in Redis is damaged",
        "It is of a type that this cache does not store there. Refreshers remove it and fetch anew "
        "what it held.",
        "find out who else writes to this database",
    ),
}
# Redis refuses writes because of it; the first write that it takes ends it.
REFUSING = frozenset(set(Trouble) - {Trouble.DAMAGED})
_CODES = {
    "OOM": Trouble.MEMORY,
    "MISCONF": Trouble.NOT_SAVED,
    "READONLY": Trouble.READ_ONLY,
    "UNBLOCKED": Trouble.READ_ONLY,  # it has become one while a command waited
    "NOREPLICAS": Trouble.NO_REPLICAS,
    "WRONGTYPE": Trouble.DAMAGED,
}


def trouble_of(error: BaseException) -> Trouble | None:
    """The trouble that an error tells of; None for any other, such as a Redis that is away."""
    if isinstance(error, OutOfMemoryError):
        return Trouble.MEMORY
    if isinstance(error, ReadOnlyError):
        return Trouble.READ_ONLY
    if not isinstance(error, ResponseError):
        return None
    # redis-py names the command first if a pipeline failed; scripts name themselves last.
    text = str(error)
    if text.startswith("Command # "):
        text = text.partition(" caused error: ")[2]
    return _CODES.get(text.partition(" ")[0])


def redis_refuses(trouble: Trouble, since: float | None) -> Hold:
    """The hold of a Redis that takes no writes.

    Args:
        trouble: why.
        since: Unix time in seconds; None if it is not known.
    """
    words = WORDS[trouble]
    reason = f"{words.title}: {words.advice}"
    return Hold(HoldKind.REDIS_REFUSES, "all refreshes", reason, since)


class Troubles:
    """What is wrong with the Redis of a process; thread-safe.

    Args:
        log: of the process.
        clock: of the process.
    """

    def __init__(self, log: logging.Logger, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._lock = Lock()
        self._since: dict[Trouble, float] = {}  # Unix time in seconds
        self._last: dict[Trouble, float] = {}  # monotonic, as the next
        self._log_at: dict[
            Trouble, tuple[float, float]
        ] = {}  # time of the next line, and its pause
        self._is_damaged = False

    def note(self, error: BaseException) -> None:
        """Take note of an error; log it, unless it was logged a moment ago."""
        trouble = trouble_of(error)
        if trouble is None:
            return
        now = self._clock.monotonic()
        with self._lock:
            if trouble is Trouble.DAMAGED:
                self._is_damaged = True
                if now - self._last.get(trouble, -_FORGOTTEN) >= _FORGOTTEN:
                    self._end(trouble)
            self._last[trouble] = now
            since = self._since.setdefault(trouble, self._clock.now())
            log_at, pause = self._log_at.get(trouble, (now, _LOGGED_AGAIN))
            if now < log_at:
                return
            self._log_at[trouble] = (now + pause, min(2 * pause, _LONGEST))
        words = WORDS[trouble]
        text = f"{words.title}: {words.advice}"
        if trouble in REFUSING:
            hold = redis_refuses(trouble, since)
            text = f"{text}. {hold.when_words(self._clock.now())}"
        self._log.error("%s", text)

    def wrote(self, sent_at: float = math.inf) -> None:
        """Take note of a write that Redis has taken: it refuses none any more.

        Args:
            sent_at: when it was sent, by the monotonic clock: a write that was refused since then
                tells more.
        """
        with self._lock:
            since = dict(self._since)
            refused = sorted(REFUSING & set(since))
            ended = [trouble for trouble in refused if self._last[trouble] <= sent_at]
            for trouble in ended:
                self._end(trouble)
        if ended:
            hold = redis_refuses(ended[0], min(since[one] for one in ended))
            lasted = hold.lasted_words(self._clock.now())
            self._log.warning("Redis takes writes again (it was: %s). %s", ", ".join(ended), lasted)

    def end_if_over(self) -> None:
        """End what was not met for so long that Redis must have taken a write since.

        For processes that write every few seconds, whatever happens.
        """
        now = self._clock.monotonic()
        with self._lock:
            last = max(
                (self._last.get(one, now) for one in REFUSING & set(self._since)), default=now
            )
        if now - last > _QUIET:
            self.wrote()

    def take_damage(self) -> bool:
        """Whether a damaged value was met since the last call."""
        with self._lock:
            found, self._is_damaged = self._is_damaged, False
        return found

    @property
    def refusing(self) -> Refusing | None:
        """Why Redis refuses writes, as it was met last; None if it takes them."""
        with self._lock:
            found = [one for one in self._since if one in REFUSING]
            last = max(found, key=lambda one: self._last[one], default=None)
            return None if last is None else Refusing(last, self._since[last])

    def _end(self, trouble: Trouble) -> None:
        self._since.pop(trouble, None)
        self._last.pop(trouble, None)
        self._log_at.pop(trouble, None)


def watch(client: Redis, note: Callable[[BaseException], None]) -> None:
    """Have a client tell of the errors in Redis's replies, whoever handles them.

    Args:
        client: that has made no connection yet.
        note: is called with each error, in the thread that met it; must not raise.
    """
    pool = client.connection_pool
    made = pool.connection_class

    class Watched(made):  # type: ignore[misc, valid-type]
        """A connection that tells of errors."""

        def read_response(self, *arguments: Any, **known: Any) -> Any:
            """Read a reply; raise the error that it is."""
            try:
                return super().read_response(*arguments, **known)
            except RedisError as error:
                note(error)
                raise

    pool.connection_class = Watched

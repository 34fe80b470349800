"""The state of the Redis server, as its `INFO` shows it, and reading it part by part."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from shared.redis.scripts import is_of_wrong_type
from shared.stored_numbers import count_of

_DAMAGE = (ValueError, TypeError, LookupError, OverflowError, RecursionError)

Part = TypeVar("Part")


@dataclass(frozen=True)
class RedisState:
    """What a server says of itself.

    Args:
        used: bytes of memory in use.
        most: `maxmemory` in bytes; 0 without a limit.
        policy: `maxmemory-policy`; empty if it is not known.
        evicted: keys that it has evicted since it started.
    """

    used: int = 0
    most: int = 0
    policy: str = ""
    evicted: int = 0


UNKNOWN = RedisState()


def redis_state(redis: Redis) -> RedisState:
    """The state of a server; unknown if it does not tell. May raise `redis.RedisError`."""
    try:
        memory = cast(Mapping[str, object], redis.info("memory"))
        stats = cast(Mapping[str, object], redis.info("stats"))
    except ResponseError:  # not allowed
        return UNKNOWN
    return RedisState(
        count_of(str(memory.get("used_memory", 0))),
        count_of(str(memory.get("maxmemory", 0))),
        str(memory.get("maxmemory_policy", "")),
        count_of(str(stats.get("evicted_keys", 0))),
    )


@dataclass
class Parts:
    """Reads what is shown of the fleet part by part, so that a damaged one hides no other.

    Args:
        damaged: names of the parts that could not be read.
    """

    damaged: list[str] = field(default_factory=list)

    def read(self, name: str, read: Callable[[], Part], otherwise: Part) -> Part:
        """A part, or something else if it is damaged; raises all other errors of Redis."""
        try:
            return read()
        except NoPermissionError:  # the rules of the Redis users are those of an older release
            return otherwise
        except ResponseError as error:
            if not is_of_wrong_type(error):
                raise
        except _DAMAGE:
            pass
        self.damaged.append(name)
        return otherwise

    def whole(self, reply: Part, otherwise: Part, name: str = "") -> Part:
        """A reply of a pipeline, or something else if its value is damaged; raises other errors.

        Args:
            reply: may be an error.
            otherwise: stands for a damaged value.
            name: of the part; empty if the damage is told of elsewhere.
        """
        if not isinstance(reply, Exception):
            return reply
        if not is_of_wrong_type(reply):
            raise reply
        if name:
            self.damaged.append(name)
        return otherwise

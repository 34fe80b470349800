"""Statements on a Redis that answers, and is not well. Pure."""

from collections import Counter
from collections.abc import Iterator

from reader.fleet.view import Fleet
from reader.status.formatting import about, listed, plural, size
from reader.status.statement import Level, Statement, Topic
from shared.redis.trouble import WORDS, Refusing, redis_refuses

_LATELY_S = 3600  # seconds for which what was mended is a warning


def redis_statements(fleet: Fleet, refusing: Refusing | None) -> Iterator[Statement]:
    """Statements on a Redis that refuses writes, has damaged values, or evicts content.

    Args:
        fleet: from Redis.
        refusing: why this reader's writes are refused; None if they are taken.
    """
    if refusing is not None:
        words, hold = WORDS[refusing.trouble], redis_refuses(refusing.trouble, refusing.since)
        text = f"{words.text} {hold.when_words(fleet.now)} For that, {words.advice}."
        yield Statement(Level.BAD, Topic.REDIS, words.title, text, "redis-refuses-writes")
    if fleet.damaged:
        text = (
            f"Not shown, because a value in Redis is damaged: {listed(list(fleet.damaged))}. "
            "Refreshers remove such values, and what they held is fetched or counted anew."
        )
        title = "A value in Redis is damaged"
        yield Statement(Level.WARN, Topic.REDIS, title, text, "redis-damaged")
    yield from _mended(fleet)
    state = fleet.redis
    if state.evicted and state.policy != "noeviction":
        text = (
            f"It has evicted {plural(state.evicted, 'key')} since it started "
            f"(maxmemory-policy {state.policy or 'unknown'}, {size(state.used)} of "
            f"{size(state.most)} used). Evicted content is fetched again, which costs GitHub's "
            "limits; queue, locks and marks can be evicted too. Set maxmemory-policy noeviction, "
            "and raise maxmemory or lower ON_DEMAND_MAX_BYTES."
        )
        yield Statement(Level.WARN, Topic.REDIS, "Redis evicts content", text, "redis-evicts")


def _mended(fleet: Fleet) -> Iterator[Statement]:
    """The damaged values that refreshers have mended in the last days."""
    if not fleet.mended:
        return
    counted = Counter(one.words for one in fleet.mended)
    named = [
        f"{words} ({number} times)" if number > 1 else words for words, number in counted.items()
    ]
    latest = fleet.mended[0].at
    text = (
        f"{listed(named)}; the last one {about(fleet.now - latest)} ago. What they held is fetched "
        "or counted anew. Find out who else writes to this database."
    )
    level = Level.NOTE if latest < fleet.now - _LATELY_S else Level.WARN
    title = "Damaged values in Redis were mended"
    yield Statement(level, Topic.REDIS, title, text, "redis-damaged")

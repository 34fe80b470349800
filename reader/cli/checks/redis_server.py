"""Checks of the Redis server: version, latency, persistence, memory and role."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reader.cli.checks.finding import VERDICTS, Finding, Verdict
from reader.fleet.redis_state import UNKNOWN
from reader.fleet.view import Fleet
from reader.status.formatting import duration, listed, plural, share, size
from reader.status.redis_statements import redis_statements
from shared.redis.trouble import WORDS, Trouble

_ABOUT = "redis"
# Members of `INFO` that are "ok" after a success, and what they are about.
_SAVES = {
    "rdb_last_bgsave_status": "its last snapshot",
    "aof_last_write_status": "its last write to the append-only file",
    "aof_last_bgrewrite_status": "its last rewrite of the append-only file",
}
_SLOW = 0.02  # seconds for one response
_OLDEST_REDIS = 7


@dataclass(frozen=True)
class RedisFacts:
    """Facts about a Redis server.

    Args:
        info: the members of `INFO`; empty if the command is not allowed.
        save: the value of `CONFIG GET save`; None if the command is not allowed.
        latency: seconds for one response.
        offset: seconds that its clock is ahead of this machine's.
        refuses: why it refused a write; None if it took it.
    """

    info: Mapping[str, object]
    save: str | None
    latency: float
    offset: float
    refuses: Trouble | None = None

    def text(self, name: str) -> str:
        """A member of `INFO`; empty if it is missing."""
        return str(self.info.get(name, ""))

    def number(self, name: str) -> int:
        """A member of `INFO` as a number; 0 if it is not one."""
        found = self.text(name)
        return int(found) if found.isascii() and found.isdigit() else 0


def check_redis(facts: RedisFacts) -> Iterator[Finding]:
    """Check that Redis is recent, fast and a master, and keeps what it is given."""
    latency = duration(facts.latency)
    if facts.info:
        yield _check_version(facts, latency)
    else:
        found = f"it responds in {latency}; its state is unknown (INFO is not allowed)"
        advice = "allow INFO for our user, or check version, persistence and eviction yourself"
        yield Finding(_ABOUT, Verdict.NOTE, found, advice)
    if facts.latency > _SLOW:
        advice = "put readers and Redis into one region, or find out what keeps Redis busy"
        yield Finding(_ABOUT, Verdict.WARNING, f"a response takes {latency}", advice)
    if facts.refuses is not None and facts.refuses is not Trouble.READ_ONLY:
        words = WORDS[facts.refuses]
        found = f"{words.title}: it refuses writes, so nothing is refreshed"
        yield Finding(_ABOUT, Verdict.PROBLEM, found, words.advice)
    if facts.info:
        yield from _check_persistence(facts)
        yield from _check_memory(facts)
    if facts.text("role") not in {"", "master"} or facts.refuses is Trouble.READ_ONLY:
        yield Finding(
            _ABOUT,
            Verdict.PROBLEM,
            "it is a replica: refreshers cannot write to it",
            "point REDIS_URL at the master, or at sentinels: redis+sentinel://",
        )


def check_values(fleet: Fleet, damaged: Sequence[str]) -> Iterator[Finding]:
    """Check that no value in Redis is damaged.

    Args:
        fleet: from Redis.
        damaged: what `doctor` itself could not read.
    """
    shown = replace(fleet, damaged=[*fleet.damaged, *damaged], redis=UNKNOWN)
    for one in redis_statements(shown, None):
        yield Finding(_ABOUT, VERDICTS[one.level], f"{one.title}: {one.text}")


def _check_version(facts: RedisFacts, latency: str) -> Finding:
    valkey = facts.text("valkey_version")
    version = valkey or facts.text("redis_version")
    name = "Valkey" if valkey else "Redis"
    major = version.partition(".")[0]
    old = not valkey and major.isdigit() and int(major) < _OLDEST_REDIS
    return Finding(
        _ABOUT,
        Verdict.PROBLEM if old else Verdict.OK,
        f"{name} {version} responds in {latency}",
        f"Redis {_OLDEST_REDIS} or newer is needed, or Valkey" if old else "",
    )


def _check_persistence(facts: RedisFacts) -> Iterator[Finding]:
    appends = facts.number("aof_enabled") == 1
    failed = [what for name, what in _SAVES.items() if facts.text(name) not in {"", "ok"}]
    if failed:
        yield Finding(
            _ABOUT,
            Verdict.PROBLEM,
            f"{listed(failed)} failed: it may refuse writes",
            "see Redis's log; often the disk is full",
        )
    if appends or facts.save:
        how = "an append-only file" if appends else f"snapshots ({facts.save})"
        yield Finding(_ABOUT, Verdict.OK, f"content survives a restart, by {how}")
    elif facts.save is None:
        found = "its persistence is unknown (CONFIG is not allowed)"
        yield Finding(_ABOUT, Verdict.NOTE, found, "make sure that a restart does not empty it")
    else:
        yield Finding(
            _ABOUT,
            Verdict.WARNING,
            "it keeps nothing on disk: a restart empties it, and everything is fetched again",
            'CONFIG SET save "300 1", or appendonly yes',
        )


def _check_memory(facts: RedisFacts) -> Iterator[Finding]:
    used, most = facts.number("used_memory"), facts.number("maxmemory")
    policy = facts.text("maxmemory_policy")
    if policy and policy != "noeviction":
        yield Finding(
            _ABOUT,
            Verdict.PROBLEM if most else Verdict.WARNING,
            f"maxmemory-policy is {policy}: content is evicted when memory is short",
            "CONFIG SET maxmemory-policy noeviction",
        )
    if facts.number("evicted_keys"):
        evicted = plural(facts.number("evicted_keys"), "key")
        found = f"it has evicted {evicted} for lack of memory"
        yield Finding(_ABOUT, Verdict.WARNING, found, "give it more memory")
    if most and used > 0.9 * most:
        found = f"{share(used, most)} of its memory is used ({size(used)} of {size(most)})"
        yield Finding(_ABOUT, Verdict.WARNING, found, "raise maxmemory")
    elif policy in {"", "noeviction"}:
        limit = f"of {size(most)}" if most else "without a limit"
        yield Finding(_ABOUT, Verdict.OK, f"{size(used)} used, {limit}; nothing is evicted")

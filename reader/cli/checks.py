"""What may be wrong with a set-up, and what to do about it: pure functions of what was found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reader.fleet.privileged_credentials import PrivilegedCredential, privileged
from reader.fleet.snapshot import Fleet
from reader.status.diagnosis import PRIVILEGED, Level, diagnose
from reader.status.formatting import about as in_words
from reader.status.formatting import count, duration, listed, plural, share, size
from shared.budgets import CredentialBudget, is_beside
from shared.settings import REFRESHERS_ONLY, Settings

_CLOCK_OFF, _CLOCK_WRONG = 5.0, 60.0  # seconds
# Members of `INFO` that say "ok", and what of.
_SAVES = {
    "rdb_last_bgsave_status": "its last snapshot",
    "aof_last_write_status": "its last write to the append-only file",
    "aof_last_bgrewrite_status": "its last rewriting of the append-only file",
}
_SLOW = 0.02  # seconds for one answer of Redis
_OLDEST_REDIS = 7
_LONG_QUEUE = 100
_EXPIRES_SOON = 14 * 24 * 3600.0  # seconds
# What platforms that put a proxy before readers set, and what gunicorn's users expect to work.
_SIGNS_OF_PROXIES = ("DYNO", "FLY_APP_NAME", "FORWARDED_ALLOW_IPS", "K_SERVICE", "RENDER")


class Verdict(StrEnum):
    """How bad it is, the worst first."""

    PROBLEM = "problem"  # it does not work, or content can be lost
    WARNING = "warning"  # it works, and will not for long, or not safely
    NOTE = "note"  # worth knowing
    OK = "ok"


@dataclass(frozen=True)
class Finding:
    """What was found about one thing.

    Args:
        about: the thing.
        verdict: how bad it is.
        found: in a sentence.
        advice: what to do about it; empty where there is nothing to do.
    """

    about: str
    verdict: Verdict
    found: str
    advice: str = ""


@dataclass(frozen=True)
class RedisFacts:
    """What Redis says of itself.

    Args:
        info: the members of `INFO`; none where it may not be asked.
        save: when it writes a snapshot, as `CONFIG GET save` says; None where it may not be asked.
        latency: seconds for one answer.
        offset: seconds that its clock is ahead of this machine's.
    """

    info: Mapping[str, object]
    save: str | None
    latency: float
    offset: float

    def text(self, name: str) -> str:
        """A member of `INFO`; empty where there is none."""
        return str(self.info.get(name, ""))

    def number(self, name: str) -> int:
        """A member of `INFO` that is a number; 0 where it is none."""
        found = self.text(name)
        return int(found) if found.isascii() and found.isdigit() else 0


def check_settings(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """The settings of this process, which should be those of the readers."""
    about = "settings"
    yield Finding(about, Verdict.OK, f"they are valid; {listed(list(settings.orgs))} tracked")
    secrets = [name for name in REFRESHERS_ONLY if environment.get(name)]
    if secrets:
        yield Finding(
            about,
            Verdict.NOTE,
            f"{listed(secrets)} set here, where only what readers need has to be",
            "give GitHub's credentials to refreshers alone",
        )
    if settings.include_private:
        yield Finding(
            about,
            Verdict.WARNING,
            "INCLUDE_PRIVATE=true: private repositories are served to everybody who reaches a "
            "reader",
            "restrict who can reach readers, or set it to false everywhere",
        )
    if settings.admin_token is None:
        found = "ADMIN_TOKEN is not set here: readers like that let nobody act on the status page"
        yield Finding(about, Verdict.NOTE, found)
    if settings.local_ttl > settings.cache_ttl:
        yield Finding(
            about,
            Verdict.NOTE,
            "LOCAL_TTL is longer than CACHE_TTL: readers look when content becomes stale all the "
            "same",
            "a LOCAL_TTL of a twentieth of CACHE_TTL is plenty",
        )
    proxy = next((name for name in _SIGNS_OF_PROXIES if environment.get(name)), None)
    if proxy is not None and not settings.trusted_proxies:
        yield Finding(
            about,
            Verdict.NOTE,
            f"{proxy} is set, so there may be a proxy before the readers, and TRUSTED_PROXIES is "
            "not: Link fields name the readers, not the proxy",
            "name the proxies' addresses in TRUSTED_PROXIES",
        )
    if settings.access_log == 1:
        found = "ACCESS_LOG=1 logs every request, which costs more than answering it"
        yield Finding(about, Verdict.NOTE, found, "0.01 logs every hundredth")


def check_redis(facts: RedisFacts) -> Iterator[Finding]:
    """Whether Redis keeps what it is given."""
    about = "redis"
    latency = duration(facts.latency)
    if facts.info:
        yield _check_version(facts, latency)
    else:
        found = f"it answers in {latency}, and does not tell how it is (INFO is not allowed)"
        advice = "let our user have INFO, or see to version, persistence and eviction yourself"
        yield Finding(about, Verdict.NOTE, found, advice)
    if facts.latency > _SLOW:
        advice = "put readers and Redis into one region, or see what keeps Redis busy"
        yield Finding(about, Verdict.WARNING, f"an answer takes {latency}", advice)
    if facts.info:
        yield from _check_persistence(facts)
        yield from _check_memory(facts)
    if facts.text("role") not in {"", "master"}:
        yield Finding(
            about,
            Verdict.PROBLEM,
            "it is a replica: refreshers cannot write to it",
            "point REDIS_URL at the master, or at sentinels: redis+sentinel://",
        )


def _check_version(facts: RedisFacts, latency: str) -> Finding:
    valkey = facts.text("valkey_version")
    version = valkey or facts.text("redis_version")
    name = "Valkey" if valkey else "Redis"
    major = version.partition(".")[0]
    old = not valkey and major.isdigit() and int(major) < _OLDEST_REDIS
    return Finding(
        "redis",
        Verdict.PROBLEM if old else Verdict.OK,
        f"{name} {version} answers in {latency}",
        f"Redis {_OLDEST_REDIS} or newer is needed, or Valkey" if old else "",
    )


def _check_persistence(facts: RedisFacts) -> Iterator[Finding]:
    about = "redis"
    appends = facts.number("aof_enabled") == 1
    failed = [what for name, what in _SAVES.items() if facts.text(name) not in {"", "ok"}]
    if failed:
        yield Finding(
            about,
            Verdict.PROBLEM,
            f"{listed(failed)} failed: it may refuse writes",
            "see Redis's log; often the disk is full",
        )
    if appends or facts.save:
        how = "an append-only file" if appends else f"snapshots ({facts.save})"
        yield Finding(about, Verdict.OK, f"content outlives a restart, by {how}")
    elif facts.save is None:
        found = "it does not tell how it keeps its data (CONFIG is not allowed)"
        yield Finding(about, Verdict.NOTE, found, "see that a restart does not empty it")
    else:
        yield Finding(
            about,
            Verdict.WARNING,
            "it keeps nothing on disk: a restart empties it, and everything is fetched anew",
            'CONFIG SET save "300 1", or appendonly yes',
        )


def _check_memory(facts: RedisFacts) -> Iterator[Finding]:
    about = "redis"
    used, most = facts.number("used_memory"), facts.number("maxmemory")
    policy = facts.text("maxmemory_policy")
    if policy and policy != "noeviction":
        yield Finding(
            about,
            Verdict.PROBLEM if most else Verdict.WARNING,
            f"maxmemory-policy is {policy}: content is thrown away when memory is short",
            "CONFIG SET maxmemory-policy noeviction",
        )
    if facts.number("evicted_keys"):
        evicted = plural(facts.number("evicted_keys"), "key")
        found = f"it has thrown away {evicted} for want of memory"
        yield Finding(about, Verdict.WARNING, found, "give it more memory")
    if most and used > 0.9 * most:
        found = f"{share(used, most)} of its memory is used ({size(used)} of {size(most)})"
        yield Finding(about, Verdict.WARNING, found, "raise maxmemory")
    elif policy in {"", "noeviction"}:
        limit = f"of {size(most)}" if most else "without a limit"
        yield Finding(about, Verdict.OK, f"{size(used)} used, {limit}; nothing is evicted")


def check_clocks(facts: RedisFacts, origin_offset: float | None) -> Iterator[Finding]:
    """Whether this machine, Redis and GitHub agree on what time it is."""
    clocks = [("Redis's", "this machine's", facts.offset)]
    if origin_offset is not None:
        clocks.append(("GitHub's", "the refreshers'", origin_offset))
    for whose, beside, offset in clocks:
        off = abs(offset)
        verdict = Verdict.OK if off < _CLOCK_OFF else Verdict.WARNING
        verdict = verdict if off < _CLOCK_WRONG else Verdict.PROBLEM
        way = "ahead of" if offset > 0 else "behind"
        found = f"{whose} clock is {duration(off)} {way} {beside}"
        if verdict is Verdict.OK:
            found = f"{whose} clock agrees with {beside}, but for {duration(off)}"
        advice = "keep clocks by NTP: freshness and tokens go by them"
        yield Finding("clocks", verdict, found, "" if verdict is Verdict.OK else advice)


def check_credentials(
    budgets: Sequence[CredentialBudget], now: float, *, include_private: bool = False
) -> Iterator[Finding]:
    """What GitHub told refreshers of their credentials; readers have none.

    Args:
        budgets: what is known of each.
        now: Unix time in seconds.
        include_private: private repositories are let in.
    """
    about = "credentials"
    if not budgets:
        found = "no refresher has asked GitHub in the last hours"
        yield Finding(about, Verdict.NOTE, found, "have one refresh something, and look again")
    for budget in budgets:
        name = budget.credential
        if budget.resource_class != "core":
            name += f" ({budget.resource_class})"
        beside = is_beside(budget, budgets)
        yield _check_budget(name, budget, now, is_beside=beside)
        if budget.resource_class == "core" and not beside:
            yield from _check_credential(name, budget, now)
    for one in privileged(budgets):
        yield _check_privileges(one, include_private=include_private)


def _check_privileges(one: PrivilegedCredential, *, include_private: bool) -> Finding:
    about = "credentials"
    found = f"{one.id}: it sees more than the public: {listed(list(one.shown_by), 6)}"
    if include_private:  # a credential has to see them, so there is nothing to make instead
        advice = "let it read private repositories, as INCLUDE_PRIVATE=true needs, and no more"
        return Finding(about, Verdict.NOTE, found, advice)
    return Finding(about, Verdict.WARNING, found, one.instead)


def _check_budget(name: str, budget: CredentialBudget, now: float, *, is_beside: bool) -> Finding:
    about = "credentials"
    left = f"{count(budget.remaining)} of {count(budget.limit)} left"
    if budget.aside_until > now:
        until = in_words(budget.aside_until - now)
        found = f"{name}: GitHub refuses it; not used for another {until}"
        return Finding(about, Verdict.PROBLEM, found, "give refreshers a valid one")
    if budget.remaining < 0.1 * budget.limit:
        found = f"{name}: {left} until {in_words(budget.resets_at - now)} from now"
        if is_beside:
            found += "; it is for what is asked without a credential"
            return Finding(about, Verdict.WARNING, found, "see docs/scaling.md")
        return Finding(about, Verdict.WARNING, found, "raise CACHE_TTL, or add a credential")
    return Finding(about, Verdict.OK, f"{name}: {left}")


def _check_credential(name: str, budget: CredentialBudget, now: float) -> Iterator[Finding]:
    about = "credentials"
    if budget.is_anonymous:
        yield Finding(
            about,
            Verdict.NOTE,
            f"GitHub is asked without a token: {count(budget.limit)} requests an hour",
            f"give refreshers a classic token without any scope: {count(5000)} an hour, and "
            "unchanged content is free",
        )
    if budget.expires:
        yield _check_end(name, budget.expires, now)


def _check_end(name: str, expires: str, now: float) -> Finding:
    """How far off a token's end is, as GitHub writes it: `2027-02-01 00:00:00 UTC`, or `+0200`."""
    about, found = "credentials", f"{name}: it ends on {expires}"
    try:
        end = datetime.strptime(expires.replace("UTC", "+0000"), "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return Finding(about, Verdict.NOTE, found)
    left = end.timestamp() - now
    if left > _EXPIRES_SOON:
        return Finding(about, Verdict.OK, found)
    verdict = Verdict.WARNING if left > 0 else Verdict.PROBLEM
    found = f"{name}: it ends in {in_words(left)}" if left > 0 else f"{name}: it ended on {expires}"
    return Finding(about, verdict, found, "make a new one, and give it to refreshers beside it")


def check_processes(fleet: Fleet) -> Iterator[Finding]:
    """Whether there is somebody to refresh, and to serve."""
    about, workers = "refreshers", len(fleet.workers)
    if not workers:
        advice = "start them as the Procfile does: rq worker ... refresh"
        yield Finding(about, Verdict.PROBLEM, "none is alive: nothing is refreshed", advice)
    elif workers == 1:
        found = "one is alive: a large list holds up everything else"
        yield Finding(about, Verdict.NOTE, found, "run two at least")
    else:
        yield Finding(about, Verdict.OK, f"{workers} are alive")
    if fleet.suspended:
        yield Finding(
            about,
            Verdict.WARNING,
            "refreshing is paused by an operator",
            "flask --app reader cache resume",
        )
    long = fleet.queue_length > _LONG_QUEUE
    yield Finding(
        "queue",
        Verdict.WARNING if long else Verdict.OK,
        f"{plural(fleet.queue_length, 'refresh', 'refreshes')} queued",
        "run more refreshers, or see what they are waiting for" if long else "",
    )
    yield from _check_readers(fleet)


def _check_readers(fleet: Fleet) -> Iterator[Finding]:
    about, readers = "readers", fleet.readers
    if not readers:
        found = "none has reported: none runs on this Redis"
        yield Finding(about, Verdict.WARNING, found, "start them as the Procfile does")
        return
    nodes = {reader.node for reader in readers}
    processes = plural(len(readers), "process", "processes")
    yield Finding(about, Verdict.OK, f"{processes} on {plural(len(nodes), 'node')}")
    versions = sorted({reader.version for reader in readers})
    if len(versions) > 1:
        found = f"they run versions {listed(versions)}"
        yield Finding(about, Verdict.NOTE, found, "let the deployment under way come to its end")


# Statements of the status page that other checks make in their own words.
_SAID_BEFORE = {"No refresher is alive", "Refreshing is paused", "Several versions", PRIVILEGED}


def check_content(fleet: Fleet) -> Iterator[Finding]:
    """Whether what is tracked can be served, and is kept fresh."""
    verdicts = {
        Level.BAD: Verdict.PROBLEM,
        Level.WARN: Verdict.WARNING,
        Level.NOTE: Verdict.NOTE,
        Level.GOOD: Verdict.OK,
    }
    for said in diagnose(fleet, [], now=fleet.now):
        if said.title not in _SAID_BEFORE:
            yield Finding("content", verdicts[said.level], f"{said.title}. {said.text}")


def check_github(fleet: Fleet) -> Iterator[Finding]:
    """How GitHub answered last, and what it sends that this release does not know."""
    origin, unknown = fleet.origin, list(fleet.unknown_fields)
    if unknown:
        yield Finding(
            "github",
            Verdict.NOTE,
            f"it sends {plural(len(unknown), 'key')} that this release does not know, and that are "
            f"therefore dropped: {listed(unknown)}",
            "update, or report them if this is the newest release",
        )
    if origin.answered_at is None:
        yield Finding("github", Verdict.NOTE, "it has not answered any refresher yet")
        return
    ago = in_words(fleet.now - origin.answered_at)
    bad = origin.status is not None and origin.status >= 500
    found = f"it answered {origin.status}, {ago} ago"
    yield Finding("github", Verdict.WARNING if bad else Verdict.OK, found)

"""What may be wrong with a set-up, and what to do about it: pure functions of what was found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reader.fleet import Fleet
from reader.status.diagnosis import Level, diagnose
from reader.status.words import about as in_words
from reader.status.words import count, duration, listed, plural, share, size
from shared.budgets import CredentialBudget
from shared.settings import Settings

_SHORT_TOKEN = 16  # characters
_CLOCK_OFF, _CLOCK_WRONG = 5.0, 60.0  # seconds
_SLOW = 0.02  # seconds for one answer of Redis
_OLDEST_REDIS = 7
_LONG_QUEUE = 100
# Scopes of classic tokens that only see what everybody sees, or nothing of a repository.
# https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
_HARMLESS_SCOPES = frozenset({"public_repo", "read:org", "read:user", "user:email", "read:project"})


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
        info: the members of `INFO`.
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
    if environment.get("GITHUB_API_TOKEN"):
        yield Finding(
            about,
            Verdict.NOTE,
            "GITHUB_API_TOKEN is set here, where only readers' settings are needed",
            "give the credentials to refreshers alone",
        )
    if settings.admin_token is None:
        found = "ADMIN_TOKEN is not set: nobody can act on the status page"
        yield Finding(about, Verdict.NOTE, found)
    elif len(settings.admin_token.get_secret_value()) < _SHORT_TOKEN:
        yield Finding(
            about,
            Verdict.WARNING,
            f"ADMIN_TOKEN has fewer than {_SHORT_TOKEN} characters, and can be guessed",
            "make one: python3 -c 'import secrets; print(secrets.token_urlsafe(24))'",
        )
    if settings.local_ttl > settings.cache_ttl:
        yield Finding(
            about,
            Verdict.NOTE,
            "LOCAL_TTL is longer than CACHE_TTL: readers look when content becomes stale all the "
            "same",
        )
    if settings.access_log == 1:
        found = "ACCESS_LOG=1 logs every request, which costs more than answering it"
        yield Finding(about, Verdict.NOTE, found, "0.01 logs every hundredth")


def check_redis(facts: RedisFacts) -> Iterator[Finding]:
    """Whether Redis keeps what it is given."""
    about = "redis"
    name = "Valkey" if facts.text("valkey_version") else "Redis"
    version = facts.text("valkey_version") or facts.text("redis_version")
    latency = duration(facts.latency)
    old = name == "Redis" and int(version.partition(".")[0] or 0) < _OLDEST_REDIS
    yield Finding(
        about,
        Verdict.PROBLEM if old else Verdict.OK,
        f"{name} {version} answers in {latency}",
        f"{name} {_OLDEST_REDIS} or newer is needed" if old else "",
    )
    if facts.latency > _SLOW:
        advice = "put readers and Redis into one region, or see what keeps Redis busy"
        yield Finding(about, Verdict.WARNING, f"an answer takes {latency}", advice)
    yield from _check_persistence(facts)
    yield from _check_memory(facts)
    if facts.text("role") not in {"", "master"}:
        yield Finding(
            about,
            Verdict.PROBLEM,
            "it is a replica: refreshers cannot write to it",
            "point REDIS_URL at the master",
        )


def _check_persistence(facts: RedisFacts) -> Iterator[Finding]:
    about = "redis"
    appends = facts.number("aof_enabled") == 1
    if facts.text("rdb_last_bgsave_status") not in {"", "ok"}:
        yield Finding(
            about,
            Verdict.PROBLEM,
            "its last snapshot failed: it may refuse writes",
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


def check_credentials(budgets: Sequence[CredentialBudget], now: float) -> Iterator[Finding]:
    """What GitHub told refreshers of their credentials; readers have none."""
    about = "credentials"
    if not budgets:
        found = "no refresher has asked GitHub in the last hours"
        yield Finding(about, Verdict.NOTE, found, "have one refresh something, and look again")
    for budget in budgets:
        name = budget.credential
        if budget.resource_class != "core":
            name += f" ({budget.resource_class})"
        yield _check_budget(name, budget, now)
        if budget.resource_class == "core":
            yield from _check_credential(name, budget)


def _check_budget(name: str, budget: CredentialBudget, now: float) -> Finding:
    about = "credentials"
    left = f"{count(budget.remaining)} of {count(budget.limit)} left"
    if budget.aside_until > now:
        until = in_words(budget.aside_until - now)
        found = f"{name}: GitHub refuses it; not used for another {until}"
        return Finding(about, Verdict.PROBLEM, found, "give refreshers a valid one")
    if budget.remaining < 0.1 * budget.limit:
        found = f"{name}: {left} until {in_words(budget.resets_at - now)} from now"
        return Finding(about, Verdict.WARNING, found, "raise CACHE_TTL, or add a credential")
    return Finding(about, Verdict.OK, f"{name}: {left}")


def _check_credential(name: str, budget: CredentialBudget) -> Iterator[Finding]:
    about = "credentials"
    if budget.credential == "anonymous":
        yield Finding(
            about,
            Verdict.NOTE,
            f"GitHub is asked without a token: {count(budget.limit)} requests an hour",
            "set GITHUB_API_TOKEN for refreshers: 5,000 an hour, and unchanged content is free",
        )
    scopes = {scope.strip() for scope in (budget.scopes or "").split(",")} - {""}
    more = sorted(scopes - _HARMLESS_SCOPES)
    if more:
        yield Finding(
            about,
            Verdict.WARNING,
            f"{name}: it may do more than is needed: {listed(more, 6)}",
            "take a token that sees nothing private: public data needs no scope at all",
        )
    if budget.expires:
        yield Finding(about, Verdict.NOTE, f"{name}: it ends on {budget.expires}")


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
    nodes = {reader.node for reader in fleet.readers}
    if not nodes:
        found = "none has reported: none runs on this Redis"
        yield Finding("readers", Verdict.WARNING, found, "start them as the Procfile does")
    else:
        found = (
            f"{plural(len(fleet.readers), 'process', 'processes')} on {plural(len(nodes), 'node')}"
        )
        yield Finding("readers", Verdict.OK, found)


def check_content(fleet: Fleet) -> Iterator[Finding]:
    """Whether what is tracked can be served, and is kept fresh."""
    verdicts = {
        Level.BAD: Verdict.PROBLEM,
        Level.WARN: Verdict.WARNING,
        Level.NOTE: Verdict.NOTE,
        Level.GOOD: Verdict.OK,
    }
    of_processes = {"No refresher is alive", "Refreshing is paused"}
    for said in diagnose(fleet, [], now=fleet.now):
        if said.title not in of_processes:
            yield Finding("content", verdicts[said.level], f"{said.title}. {said.text}")


def check_github(fleet: Fleet) -> Iterator[Finding]:
    """How GitHub answered last."""
    origin = fleet.origin
    if origin.answered_at is None:
        yield Finding("github", Verdict.NOTE, "it has not answered any refresher yet")
        return
    ago = in_words(fleet.now - origin.answered_at)
    bad = origin.status is not None and origin.status >= 500
    found = f"it answered {origin.status}, {ago} ago"
    yield Finding("github", Verdict.WARNING if bad else Verdict.OK, found)

"""`doctor`: gathers the facts for the checks, and prints their findings."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from redis import Redis, RedisError, ResponseError, exceptions

from reader.cli.checks.clocks import check_clocks
from reader.cli.checks.credentials import check_credentials
from reader.cli.checks.environment import check_settings
from reader.cli.checks.finding import VERDICTS, Finding, Verdict
from reader.cli.checks.fleet import check_content, check_cost, check_github, check_processes
from reader.cli.checks.holds import check_holds
from reader.cli.checks.neighbours import check_neighbours
from reader.cli.checks.redis_server import RedisFacts, check_redis, check_values
from reader.cli.checks.webhooks import check_redelivery, check_webhooks
from reader.cli.context import CommandContext, complaint
from reader.cli.printing import print_lines
from reader.cli.tables import STYLES
from reader.fleet.neighbours import Neighbours, neighbours
from reader.fleet.redis_state import Parts
from reader.status.diagnosis import skewed
from reader.status.hold_rows import holds_for
from reader.status.statement import LEVEL_SIGNS
from reader.webhooks.delivery_log import last_deliveries
from shared.clock import FleetClock
from shared.holds import redis_away
from shared.redis import keys
from shared.redis.trouble import Trouble, redis_refuses, trouble_of

_LEVELS = {verdict: level for level, verdict in VERDICTS.items()}


def diagnose_setup(context: CommandContext) -> list[Finding]:
    """All findings, ordered from the settings to the content; also while Redis is unavailable."""
    findings = list(check_settings(context.settings, os.environ))
    try:
        findings += _check_redis_and_fleet(context)
    except RedisError as error:
        advice = "make sure that it runs, and that REDIS_URL and CACHE_PASSWORD are right"
        findings.append(Finding("redis", Verdict.PROBLEM, complaint(error), advice))
        if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError):
            findings += check_holds([redis_away(None)], context.clock.now())
    return findings


def facts_of(redis: Redis, clock: FleetClock) -> RedisFacts:
    """The facts about a Redis server; may raise `redis.RedisError`."""
    redis.ping()  # connects, so that the next response takes no longer for it
    began = clock.monotonic()
    clock.measure(redis)
    latency = clock.monotonic() - began
    offset = -(clock.skew or 0.0)
    return RedisFacts(_info(redis), _save(redis), latency, offset, _refuses(redis))


def print_findings(findings: Sequence[Finding]) -> None:
    """Print the findings for people, each with its advice below it."""
    lines = []
    for finding in findings:
        level = _LEVELS[finding.verdict]
        verdict = f"{LEVEL_SIGNS[level]} {finding.verdict}"
        lines.append([(verdict, STYLES[level]), (finding.about, "bold"), (finding.found, "")])
        if finding.advice:
            lines.append([("", ""), ("", ""), (f"→ {finding.advice}", STYLES[level])])
    print_lines(lines)


def _check_redis_and_fleet(context: CommandContext) -> Iterator[Finding]:
    facts = facts_of(context.redis, context.fleet_clock)
    yield from check_redis(facts)
    if facts.refuses is not None:
        yield from check_holds([redis_refuses(facts.refuses, None)], context.clock.now())
    parts = Parts()
    found = parts.read("RQ's queues", lambda: neighbours(context.redis), Neighbours())
    yield from check_neighbours(found)
    fleet = context.fleet()
    none: Mapping[str, float] = {}
    deliveries = parts.read("deliveries", lambda: last_deliveries(context.redis), none)
    yield from check_values(fleet, parts.damaged)
    yield from check_clocks(facts.offset, fleet.origin.clock_offset, skewed(fleet))
    yield from check_processes(fleet)
    yield from check_holds(holds_for(context.page_input(fleet)), fleet.now)
    include_private = context.settings.include_private
    yield from check_credentials(fleet.budgets, fleet.now, include_private=include_private)
    yield from check_github(fleet)
    yield from check_webhooks(context.settings, deliveries, now=fleet.now)
    yield from check_redelivery(context.settings, fleet)
    yield from check_content(fleet)
    yield from check_cost(fleet, context.settings)


def _refuses(redis: Redis) -> Trouble | None:
    """Why a Redis refuses a write; None if it takes it."""
    try:
        redis.set(keys.guesses(0), 0, px=1)  # of a minute in 1970, and gone at once
    except ResponseError as error:
        return trouble_of(error)
    return None


def _info(redis: Redis) -> Mapping[str, object]:
    try:
        return cast(Mapping[str, object], redis.info())
    except ResponseError:  # not allowed
        return {}


def _save(redis: Redis) -> str | None:
    try:
        found = cast(Mapping[str, str], redis.config_get("save"))
    except ResponseError:  # not allowed, as on many hosted servers
        return None
    return str(found.get("save", ""))

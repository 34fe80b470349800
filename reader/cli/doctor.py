"""`doctor`: gathers what is to be checked, and prints what was found."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from redis import Redis, RedisError, ResponseError

from reader.cli.checks import (
    Finding,
    RedisFacts,
    Verdict,
    check_clocks,
    check_content,
    check_credentials,
    check_github,
    check_processes,
    check_redis,
    check_settings,
)
from reader.cli.context import CommandContext, complaint
from reader.cli.printing import print_lines

_COLOURS = {
    Verdict.PROBLEM: "bold red",
    Verdict.WARNING: "yellow",
    Verdict.NOTE: "blue",
    Verdict.OK: "green",
}
_SIGNS = {Verdict.PROBLEM: "✕", Verdict.WARNING: "!", Verdict.NOTE: "i", Verdict.OK: "✓"}


def examine(context: CommandContext) -> list[Finding]:
    """All findings, in the order in which one would look; also while Redis is away."""
    findings = list(check_settings(context.settings, os.environ))
    try:
        findings += _examine_redis(context)
    except RedisError as error:
        advice = "see that it runs, and that REDIS_URL and CACHE_PASSWORD are right"
        findings.append(Finding("redis", Verdict.PROBLEM, complaint(error), advice))
    return findings


def facts_of(redis: Redis) -> RedisFacts:
    """What Redis says of itself; may raise `redis.RedisError`."""
    redis.ping()  # the connection is made: what follows is one answer
    began = time.perf_counter()
    seconds, microseconds = redis.time()
    latency = time.perf_counter() - began
    offset = seconds + microseconds / 1e6 - (time.time() - latency / 2)
    return RedisFacts(_info(redis), _save(redis), latency, offset)


def print_findings(findings: Sequence[Finding]) -> None:
    """Print them for people: what was found, and below it what to do about it."""
    lines = []
    for finding in findings:
        colour, verdict = _COLOURS[finding.verdict], finding.verdict
        lines.append(
            [(f"{_SIGNS[verdict]} {verdict}", colour), (finding.about, "bold"), (finding.found, "")]
        )
        if finding.advice:
            lines.append([("", ""), ("", ""), (f"→ {finding.advice}", colour)])
    print_lines(lines)


def _examine_redis(context: CommandContext) -> Iterator[Finding]:
    facts = facts_of(context.redis)
    yield from check_redis(facts)
    fleet = context.fleet()
    yield from check_clocks(facts, fleet.origin.clock_offset)
    yield from check_processes(fleet)
    include_private = context.settings.include_private
    yield from check_credentials(fleet.budgets, fleet.now, include_private=include_private)
    yield from check_github(fleet)
    yield from check_content(fleet)


def _info(redis: Redis) -> Mapping[str, object]:
    try:
        return cast(Mapping[str, object], redis.info())
    except ResponseError:  # not allowed
        return {}


def _save(redis: Redis) -> str | None:
    try:
        found = cast(Mapping[str, str], redis.config_get("save"))
    except ResponseError:  # not allowed, as at those who rent it out
        return None
    return str(found.get("save", ""))

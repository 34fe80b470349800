"""Checks whether GitHub's webhooks arrive."""

from collections.abc import Iterator, Mapping

from reader.cli.checks.finding import Finding, Verdict
from reader.fleet.view import Fleet
from reader.status.delivery_rows import NOT_DONE, delivery_words
from reader.status.delivery_statements import lost_deliveries
from reader.status.formatting import about, listed
from reader.status.statement import Level
from shared.settings import Settings

_SUBJECT = "webhooks"
_PAGE = "docs/webhooks.md lists them"
# What nearly every organisation causes in a month.
_USUAL = ("push", "issues", "pull_request", "repository", "star")
_ADVICE = "give refreshers GITHUB_HOOK_TOKEN"
_PING = "ping"  # GitHub sends it when a webhook is created


def check_webhooks(
    settings: Settings, deliveries: Mapping[str, float], *, now: float
) -> Iterator[Finding]:
    """Check that deliveries arrive, and of which events.

    Args:
        settings: of this process, which should be those of the readers.
        deliveries: Unix time in seconds of the last delivery of each event, of the last month.
        now: Unix time in seconds.
    """
    if not settings.webhook_secrets:
        found = (
            "GITHUB_WEBHOOK_SECRET is not set here: if readers do not have it either, a change is "
            "seen when the lifetime of the content ends"
        )
        yield Finding(_SUBJECT, Verdict.NOTE, found)
        return
    events = sorted(set(deliveries) - {_PING})
    if not deliveries:
        advice = "compare address and secret with GitHub's, which shows its recent deliveries"
        found = "no delivery with a valid signature has arrived in the last 30 days"
        yield Finding(_SUBJECT, Verdict.WARNING, found, advice)
        return
    if not events:
        found = f"only GitHub's ping has arrived, {about(now - deliveries[_PING])} ago"
        yield Finding(_SUBJECT, Verdict.NOTE, found, f"tick events at GitHub; {_PAGE}")
        return
    last = max(deliveries[event] for event in events)
    names = ", ".join(events)
    found = f"the last one arrived {about(now - last)} ago; of the last 30 days: {names}"
    yield Finding(_SUBJECT, Verdict.OK, found)
    missing = [event for event in _USUAL if event not in deliveries]
    if missing:
        found = f"none has arrived about {listed(missing)}"
        yield Finding(_SUBJECT, Verdict.NOTE, found, f"are these events ticked at GitHub? {_PAGE}")


def check_redelivery(settings: Settings, fleet: Fleet) -> Iterator[Finding]:
    """Check that deliveries that were lost are looked for.

    Args:
        settings: of this process, which should be those of the readers.
        fleet: as Redis shows it.
    """
    if fleet.redelivery is None:
        if settings.webhook_secrets:
            found = NOT_DONE.rstrip(".")
            yield Finding("lost deliveries", Verdict.NOTE, found, f"{_ADVICE}: docs/webhooks.md")
        return
    said = list(lost_deliveries(fleet))
    for statement in said:
        is_bad = statement.level in (Level.BAD, Level.WARN)
        verdict = Verdict.WARNING if is_bad else Verdict.NOTE
        yield Finding("lost deliveries", verdict, f"{statement.title}: {statement.text}")
    if not said:
        yield Finding("lost deliveries", Verdict.OK, delivery_words(fleet))

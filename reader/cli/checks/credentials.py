"""Checks of GitHub's credentials, by what GitHub told the refreshers; readers hold none."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from reader.cli.checks.finding import Finding, Verdict
from reader.fleet.privileged_credentials import PrivilegedCredential, privileged
from reader.fleet.refused_credentials import refused
from reader.status.formatting import about, count, listed
from shared.budgets import CredentialBudget, is_beside

_ABOUT = "credentials"
_EXPIRES_SOON = 14 * 24 * 3600.0  # seconds


def check_credentials(
    budgets: Sequence[CredentialBudget], now: float, *, include_private: bool = False
) -> Iterator[Finding]:
    """Check rate limits, expiry and privileges.

    Args:
        budgets: the known rate limits of each credential.
        now: Unix time in seconds.
        include_private: private repositories are served.
    """
    if not budgets:
        found = "no refresher has sent GitHub a request in the last hours"
        yield Finding(_ABOUT, Verdict.NOTE, found, "refresh a resource, and check again")
    for budget in budgets:
        name = budget.credential
        if budget.resource_class != "core":
            name += f" ({budget.resource_class})"
        beside = is_beside(budget, budgets)
        yield _check_budget(name, budget, now, is_beside=beside)
        if budget.resource_class == "core" and not beside:
            yield from _check_credential(name, budget, now)
    for refusal in refused(budgets, now):
        if refusal.place:
            advice = "let the owner admit it, or remove it; others are used there, or none"
            yield Finding(_ABOUT, Verdict.WARNING, refusal.words, advice)
    for one in privileged(budgets):
        yield _check_privileges(one, include_private=include_private)


def _check_privileges(one: PrivilegedCredential, *, include_private: bool) -> Finding:
    found = f"{one.id}: it sees more than the public: {listed(list(one.shown_by), 6)}"
    if include_private:  # a credential has to see them, so there is nothing to create instead
        advice = "let it read private repositories, as INCLUDE_PRIVATE=true needs, and no more"
        return Finding(_ABOUT, Verdict.NOTE, found, advice)
    return Finding(_ABOUT, Verdict.WARNING, found, one.instead)


def _check_budget(name: str, budget: CredentialBudget, now: float, *, is_beside: bool) -> Finding:
    left = f"{count(budget.remaining)} of {count(budget.limit)} left"
    if budget.aside_until > now:
        until = about(budget.aside_until - now)
        said = budget.aside_reason and f" ({budget.aside_reason})"
        found = f"{name}: GitHub rejects it{said}; not used for {until}"
        return Finding(_ABOUT, Verdict.PROBLEM, found, "give refreshers a valid one")
    if budget.is_low:
        found = f"{name}: {left}; resets in {about(budget.resets_at - now)}"
        if is_beside:
            found += "; it is for requests without a credential"
            return Finding(_ABOUT, Verdict.WARNING, found, "see docs/scaling.md")
        return Finding(_ABOUT, Verdict.WARNING, found, "raise CACHE_TTL, or add a credential")
    return Finding(_ABOUT, Verdict.OK, f"{name}: {left}")


def _check_credential(name: str, budget: CredentialBudget, now: float) -> Iterator[Finding]:
    if budget.is_anonymous:
        yield Finding(
            _ABOUT,
            Verdict.NOTE,
            f"refreshers have no token: {count(budget.limit)} requests per hour",
            f"give refreshers a classic token without any scope: {count(5000)} per hour, and "
            "unchanged content is free",
        )
    if budget.expires:
        yield _check_expiry(name, budget.expires, now)


def _check_expiry(name: str, expires: str, now: float) -> Finding:
    """Check a token's expiry date as GitHub writes it: `2027-02-01 00:00:00 UTC`, or `+0200`."""
    found = f"{name}: it expires on {expires}"
    try:
        end = datetime.strptime(expires.replace("UTC", "+0000"), "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return Finding(_ABOUT, Verdict.NOTE, found)
    left = end.timestamp() - now
    if left > _EXPIRES_SOON:
        return Finding(_ABOUT, Verdict.OK, found)
    verdict = Verdict.WARNING if left > 0 else Verdict.PROBLEM
    found = f"{name}: it expires in {about(left)}" if left > 0 else f"{name}: expired on {expires}"
    return Finding(_ABOUT, verdict, found, "create a new one, and give refreshers both until then")

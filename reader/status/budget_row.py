"""The row of the page that is about a credential's budget."""

from reader.status.diagnosis import Level
from reader.status.formatting import about, count, iso, listed
from reader.status.page_input import Shown
from shared.budgets import SLOT_SECONDS, SLOTS, CredentialBudget

_SPARK_WIDTH, _SPARK_HEIGHT = 180, 32  # of a sparkline, in its own units


def budget_row(budget: CredentialBudget, now: float, *, is_beside: bool = False) -> Shown:
    """What is shown of a budget.

    Args:
        budget: what is left.
        now: Unix time in seconds.
        is_beside: it is the anonymous one of a fleet that has a credential as well.
    """
    left = budget.remaining / max(budget.limit, 1)
    is_aside = budget.aside_until > now
    low = Level.NOTE if is_beside else Level.WARN
    level = Level.BAD if is_aside else low if left < 0.1 else Level.GOOD
    reset = (
        f"not used for another {about(budget.aside_until - now)}: GitHub refuses it"
        if is_aside
        else f"starts anew in {about(budget.resets_at - now)}"
        if budget.resets_at > now
        else "all of it is left"
    )
    return {
        "key": f"{budget.credential} {budget.resource_class}",
        "credential": budget.credential,
        "class": budget.resource_class,
        "used_for": "for what is asked without a credential" if is_beside else "",
        "privileges": list(budget.privileges),
        "sees": _sees(budget),
        "level": level,
        "remaining": budget.remaining,
        "limit": budget.limit,
        "bar": round(100 * min(max(left, 0), 1)),
        "left": f"{count(budget.remaining)} of {count(budget.limit)}",
        "resets_at": iso(budget.resets_at),
        "reset": reset,
        "history": [[iso(point.at), point.remaining] for point in budget.history],
        "spark": sparkline(budget, now),
        "spark_words": _spark_words(budget),
    }


def sparkline(budget: CredentialBudget, now: float) -> str:
    """The points of a line: what was left over the last hours and is now, as SVG has them.

    A limit that starts anew leaps up, and the line with it.
    """
    if not budget.history:
        return ""
    span = SLOTS * SLOT_SECONDS
    points = [(point.at, point.remaining) for point in budget.history]
    return " ".join(
        f"{max(0.0, _SPARK_WIDTH * (1 - (now - at) / span)):.1f},"
        f"{_SPARK_HEIGHT * (1 - min(left / max(budget.limit, 1), 1)):.1f}"
        for at, left in [*points, (now, budget.remaining)]
    )


def _sees(budget: CredentialBudget) -> str:
    if not budget.privileges:
        return ""
    return f"sees more than the public: {listed(list(budget.privileges))}"


def _spark_words(budget: CredentialBudget) -> str:
    if not budget.history:
        return "no history yet"
    least = min(point.remaining for point in budget.history)
    return f"at least {count(least)} left in the last 6 hours"

"""The page's card about a credential's rate limit."""

from reader.status.formatting import about, count, iso, listed
from reader.status.page_input import JsonObject
from reader.status.statement import Level
from shared.budgets import SLOT_SECONDS, SLOTS, CredentialBudget

_MOST_REFUSED = 20  # places that a row names
_SPARK_WIDTH, _SPARK_HEIGHT = 180, 32  # of a sparkline, in SVG user units


def budget_row(budget: CredentialBudget, now: float, *, is_beside: bool = False) -> JsonObject:
    """The card of a budget.

    Args:
        budget: the credential's remaining requests.
        now: Unix time in seconds.
        is_beside: it is the anonymous budget of a fleet that also has a credential.
    """
    left = budget.remaining / max(budget.limit, 1)
    is_aside = budget.aside_until > now
    low = Level.NOTE if is_beside else Level.WARN
    level = Level.BAD if is_aside else low if budget.is_low else Level.GOOD
    reset = (
        f"not used for {about(budget.aside_until - now)}: {_rejected(budget)}"
        if is_aside
        else f"resets in {about(budget.resets_at - now)}"
        if budget.resets_at > now
        else "all of it is left"
    )
    return {
        "key": f"{budget.credential} {budget.resource_class}",
        "credential": budget.credential,
        "class": budget.resource_class,
        "used_for": "for requests without a credential" if is_beside else "",
        "privileges": list(budget.privileges),
        "sees": _sees(budget),
        "refused": [
            {"place": one.place, "message": one.message, "until": iso(one.until)}
            for one in budget.refused[:_MOST_REFUSED]
        ],
        "level": level,
        "remaining": budget.remaining,
        "limit": budget.limit,
        "bar": round(100 * min(max(left, 0), 1)),
        "left": f"{count(budget.remaining)} of {count(budget.limit)}",
        "resets_at": iso(budget.resets_at),
        "reset": reset,
        "history": [[iso(point.at), point.remaining] for point in budget.history],
        "spark": sparkline(budget, now),
        "spark_words": _spark_text(budget),
    }


def sparkline(budget: CredentialBudget, now: float) -> str:
    """The points of an SVG polyline: what was left in the last hours, and what is left now.

    When the limit resets, the line leaps up.
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


def _rejected(budget: CredentialBudget) -> str:
    return f"GitHub rejects it{budget.aside_reason and f' ({budget.aside_reason})'}"


def _sees(budget: CredentialBudget) -> str:
    if not budget.privileges:
        return ""
    return f"sees more than the public: {listed(list(budget.privileges))}"


def _spark_text(budget: CredentialBudget) -> str:
    if not budget.history:
        return "no history yet"
    least = min(point.remaining for point in budget.history)
    hours = SLOTS * SLOT_SECONDS // 3600
    return f"at least {count(least)} left in the last {hours} hours"

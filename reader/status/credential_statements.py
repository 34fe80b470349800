"""Statements on credentials that see too much, or are refused, and on private content. Pure."""

from collections.abc import Iterator

from reader.fleet.privileged_credentials import privileged
from reader.fleet.refused_credentials import refused
from reader.fleet.view import Fleet
from reader.status.formatting import listed
from reader.status.statement import Level, Statement, Topic

_MOST_REFUSED = 3  # refusals of credentials that are named
_TITLE = "A credential sees more than the public"

PRIVATE = Statement(
    Level.NOTE,
    Topic.PRIVATE,
    "Private repositories are served to everybody",
    "INCLUDEPRIVATE=true lets private repositories, and the resources below them, into the cache. "
    "Every client that can reach a reader can read them: restrict access to the readers.",
)


def privileged_credentials(fleet: Fleet, *, include_private: bool) -> Iterator[Statement]:
    """The credentials that see too much, what shows it, and what to create instead."""
    found = list(privileged(fleet.budgets))
    if not found:
        return
    if include_private:  # a credential has to see them, so there is nothing to create instead
        needed = "INCLUDE_PRIVATE=true needs one that sees private repositories, and nothing else."
        named = [f"{one.id} {listed(list(one.shown_by))}." for one in found]
        yield Statement(Level.NOTE, Topic.PRIVILEGES, _TITLE, " ".join([needed, *named]))
        return
    served = "Readers still serve only public content, but a bug could expose the rest."
    named = [f"{one.id} {listed(list(one.shown_by))}: {one.instead}." for one in found]
    text = " ".join([served, *named])
    yield Statement(Level.WARN, Topic.PRIVILEGES, _TITLE, text, "privileged-credential")


def refused_credentials(fleet: Fleet, *, is_operator: bool) -> Iterator[Statement]:
    """The credentials that GitHub refuses. Operators are told for whom, and GitHub's reason."""
    found = list(refused(fleet.budgets, fleet.now))
    if not found:
        return
    words = [one.words if is_operator else one.public_words for one in found]
    known = list(dict.fromkeys(words))
    shown = [f"{one.rstrip('.')}." for one in known[:_MOST_REFUSED]]
    more = len(known) - len(shown)
    text = " ".join([*shown, *([f"There are {more} more."] if more else [])])
    if words != [one.words for one in found]:
        text += " Whoever signs in sees for which ones, and why."
    text += " Others are used there, or none: requests without a credential have a small limit."
    title = "GitHub refuses a credential"
    yield Statement(Level.WARN, Topic.CREDENTIALS, title, text, "credential-refused")

"""Whose content may be asked for on demand: the rule of `ON_DEMAND_OWNERS`. Pure.

What names its owner is decided by that name. What does not name one is served only if it is
GitHub's own (`/emojis`); ids and lists of everybody's things are refused, because nothing in the
request tells whose they are. A search is served if it is confined to such owners.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from shared.resources.operations import Operation

# Parameters that name an owner, right behind the first segment.
_OWNER_NAMES = frozenset({"{owner}", "{org}", "{username}"})
# First segments of what belongs to GitHub itself; "" is the root.
_OF_GITHUB = frozenset(
    {
        *("", "advisories", "codes_of_conduct", "emojis", "gitignore", "licenses", "meta"),
        *("octocat", "versions", "zen"),
    }
)
# Qualifiers that confine a search to an owner, where they stand as a word of their own.
_CONFINED = re.compile(r"(?:user|org|repo):([A-Za-z0-9_-]+)(?:/[A-Za-z0-9._-]+)?", re.IGNORECASE)
_NAMES_AN_OWNER = re.compile(r"(?:user|org|repo|owner|enterprise)\s*:", re.IGNORECASE)
# What can take the confinement away: alternatives, negation, grouping, quoted text.
_OPERATORS = re.compile(r"[\"'()\\]|(?:^|\s)(?:-|(?:or|not)(?:\s|$))", re.IGNORECASE)
_SEARCHES = frozenset({"commits", "issues", "repositories", "users"})  # that have such qualifiers


@dataclass(frozen=True)
class Owners:
    """The owners whose content may be asked for.

    Args:
        logins: in lower case; empty for everybody's.
    """

    logins: frozenset[str] = frozenset()

    @classmethod
    def of(cls, on_demand: Sequence[str], tracked: Sequence[str]) -> "Owners":
        """The owners of a process.

        Args:
            on_demand: `ON_DEMAND_OWNERS`; empty for everybody.
            tracked: organisations that are tracked, which are always among them.
        """
        if not on_demand:
            return cls()
        return cls(frozenset(login.lower() for login in (*on_demand, *tracked)))

    def admit(self, operation: Operation, segments: Sequence[str], query: str) -> bool:
        """Whether a request may be served.

        Args:
            operation: that the path names.
            segments: of the path, decoded; empty for `/`.
            query: canonical.
        """
        if not self.logins:
            return True
        template = operation.path.split("/")[1:]
        first = segments[0].lower() if segments else ""
        if first != template[0]:
            return False
        if not _OWNER_NAMES.isdisjoint(template[1:2]):
            return segments[1].lower() in self.logins
        if first == "search":
            return len(segments) == 2 and self._confine(segments[1].lower(), query)
        return first in _OF_GITHUB

    def _confine(self, search: str, query: str) -> bool:
        """Whether a search can only find what belongs to these owners."""
        asked = parse_qs(query).get("q", [])
        if search not in _SEARCHES or len(asked) != 1 or _OPERATORS.search(asked[0]):
            return False
        words = asked[0].split()
        confined = [found[1].lower() for word in words if (found := _CONFINED.fullmatch(word))]
        named = len(_NAMES_AN_OWNER.findall(asked[0]))
        return bool(confined) and named == len(confined) and self.logins.issuperset(confined)

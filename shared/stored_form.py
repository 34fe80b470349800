"""What a stored entry was made for, and when it counts as absent or as incomplete.

=============  =====================================================================================
what           what happens when it changes
=============  =====================================================================================
`SCHEMA`       part of every key (`shared.redis.keys`): processes of an older and of a newer schema
               run side by side, and each fills keys of its own. Raise it when a process of the
               release before could not read a value.
kind           part of an entry's key and of the entry: a resource that becomes tracked, or is no
               longer tracked, gets a separate entry.
`EXPANSION`    likewise, of lists whose pages are joined. Raise it when the same pages give another
               body, or when it is stored in another way.
`VISIBILITY`   likewise. Raise it when the rule of what is public becomes stricter (a row or a shape
               in `shared.resources.operations`, too), so that entries stored under the older rule
               count as absent.
API version    likewise: which version of GitHub's API the content was requested in.
derived data   part of the entry only (`Kind.derived`): what our own code makes of the body, such as
               views. The entry is still served; the next refresh rebuilds it with the same ETag
               if something is missing or has an older version. An older release leaves
               alone what a newer one derived. If each of two releases derives something that the
               other one does not (a view was renamed), each leaves the other's entry alone for
               `TRUCE` seconds. Otherwise a rolling deploy would have them undo each other's work
               at once, and again and again, at the cost of requests to GitHub.
=============  =====================================================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.api_versions import UNNAMED

SCHEMA = 3
EXPANSION = 2
_NOT_EXPANDED = 1
VISIBILITY = 1
TRUCE = 60.0  # seconds


@dataclass(frozen=True)
class StoredForm:
    """What an entry is made for.

    Args:
        kind: name of the resource's kind.
        expansion: number of the rule by which pages are expanded.
        visibility: rule of what is public.
        api_version: of GitHub's API.
    """

    kind: str
    expansion: int
    visibility: str
    api_version: str = UNNAMED  # of entries that releases before 0.4 stored

    @classmethod
    def of(
        cls,
        kind: str,
        *,
        is_expanded: bool,
        include_private: bool,
        api_version: str = UNNAMED,
    ) -> "StoredForm":
        """The form in which this process stores resources of a kind.

        Args:
            kind: its name.
            is_expanded: its pages are joined.
            include_private: private repositories are admitted.
            api_version: of GitHub's API.
        """
        rule = "private" if include_private else "public"
        expansion = EXPANSION if is_expanded else _NOT_EXPANDED
        return cls(kind, expansion, f"{rule} {VISIBILITY}", api_version)

    def __str__(self) -> str:
        form = f"{self.kind}, expansion {self.expansion}, {self.visibility}"
        # Left out as before there were several: older releases share these entries.
        return form if self.api_version == UNNAMED else f"{form}, API {self.api_version}"


def lacks(stored: Mapping[str, int], wanted: Mapping[str, int]) -> bool:
    """Whether an entry lacks derived data, or has an older version of it.

    Args:
        stored: what was derived for the entry, with the version of each.
        wanted: what this process derives for its kind.
    """
    return any(stored.get(name, 0) < version for name, version in wanted.items())


def left_until(
    stored: Mapping[str, int], wanted: Mapping[str, int], *, validated_at: float
) -> float:
    """Unix time in seconds until which an entry need not be rebuilt, whatever it lacks.

    Args:
        stored: what was derived for the entry, with the version of each.
        wanted: what this process derives for its kind.
        validated_at: Unix time in seconds when the origin last confirmed the entry.
    """
    holds_more = lacks(wanted, stored)
    return validated_at + TRUCE if holds_more else validated_at

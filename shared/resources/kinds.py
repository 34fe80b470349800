"""The table of kinds: everything that differs between the kinds of resource that the cache holds.

A kind is one frozen row. The rows are templates; `shared.resources.catalogue` makes resources of
them from the settings. Whatever depends on the kind of a resource reads its row: the catalogue,
route labels, webhooks, ranked views, ranking, privacy and lifetimes.

To add a ranking, add a row to the `rankings` of a kind. To add a tracked list, add a row to
`TRACKED`. `shared.stored_form` then has the entries rebuilt that were stored before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from shared.encodings import VERSIONS

# The ranking by `updated_at`, the time at which GitHub says that an item changed last.
LAST_UPDATED = "last_updated"

# One item of a list as GitHub sends it, decoded.
Item = Mapping[str, Any]
# What a list is ranked by. Within one ranking all values are of one type, or None.
Value = int | str | None


class Keeping(StrEnum):
    """Why an entry is kept, and so whose lifetime it has."""

    TRACKED = "tracked"  # named by the settings: fresh for CACHE_TTL, kept for ever
    ON_DEMAND = "on-demand"  # asked for by a client: fresh for ON_DEMAND_TTL, evicted


class Visibility(StrEnum):
    """How the refreshers decide which part of GitHub's response is public.

    In either case the operation must be allowed, and a repository above must be public.
    """

    # The decision of the operation says who may ask, and the whole answer is public or not.
    BY_OPERATION = "by operation"
    # A credential adds whole items to the list, and GitHub marks each of them as private: any
    # credential may ask, and the marked items are left out.
    BY_ITEM = "by item"


@dataclass(frozen=True)
class Ranking:
    """An order of a list's items, which the ranked views show.

    Args:
        name: as the path of a view spells it; unique among all kinds.
        value: key function: what an item is ranked by.
        version: raise it when `value` changes its meaning, so that stored views are rebuilt.
        member: of an item, the one that `value` reads; a list whose items have it can be ranked.
    """

    name: str
    value: Callable[[Item], Value]
    version: int = 1
    member: str = ""


@dataclass(frozen=True)
class Event:
    """A webhook event of GitHub that may change a resource.

    https://docs.github.com/webhooks/webhook-events-and-payloads

    Args:
        name: value of `X-GitHub-Event`.
        actions: values of `action` in the payload; empty for any.
        item: where the payload holds the object that is an item of the list; empty for none.
    """

    name: str
    actions: frozenset[str] = frozenset()
    item: tuple[str, ...] = ()


@dataclass(frozen=True)
class Total:
    """Where GitHub says how many public items a list has.

    Args:
        kind: of the object that says it; the path of the list begins with the object's.
        member: of the object.
    """

    kind: "Kind"
    member: str


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    Args:
        name: of the row; entries and keys in Redis carry it.
        template: path with parameters in braces; empty for any path that is allowed on demand.
        route: label in metrics.
        keeping: tracked or on demand.
        is_expanded: all pages are read and flattened into one array.
        visibility: how the public part of GitHub's response is found.
        named_by: of a ranked list, the member that names an item in the views.
        rankings: of a list.
        events: which may change it.
        total: of a list, where another tracked resource says how many items it has.
        is_named: a path of `TRACK`: GitHub's errors are the answer. Others, of `ORGS`, outlive
            them.
    """

    name: str
    template: str
    route: str
    keeping: Keeping = Keeping.TRACKED
    is_expanded: bool = False
    visibility: Visibility = Visibility.BY_OPERATION
    named_by: str = ""
    rankings: tuple[Ranking, ...] = ()
    events: tuple[Event, ...] = ()
    total: Total | None = None
    is_named: bool = False

    @property
    def outlives_errors(self) -> bool:
        """Whether no error of GitHub's may replace the content."""
        return self.is_tracked and not self.is_named

    @property
    def is_tracked(self) -> bool:
        """Whether it is kept because the settings name it."""
        return self.keeping is Keeping.TRACKED

    @property
    def is_of_an_organisation(self) -> bool:
        """Whether there is one for each tracked organisation."""
        return "{org}" in self.template

    @cached_property
    def place_of_times(self) -> int | None:
        """The place among the rankings of that by `updated_at`; None if no ranking is by it."""
        names = [ranking.name for ranking in self.rankings]
        return names.index(LAST_UPDATED) if LAST_UPDATED in names else None

    @cached_property
    def on_demand(self) -> "Kind":
        """The same, but kept on demand: for a version of the API that is not the settings' own."""
        name = f"{self.name}-on-demand"
        return replace(self, name=name, keeping=Keeping.ON_DEMAND, events=(), is_named=False)

    @cached_property
    def derived(self) -> Mapping[str, int]:
        """What our own code derives from GitHub's bytes for an entry, with the version of each.

        An entry carries what was derived for it. One that lacks something, or has an older version
        of it, is rebuilt by the next refresh, although GitHub says that nothing changed.
        """
        ends = {"ends": 1} if self.is_expanded else {}
        views = {f"view:{ranking.name}": ranking.version for ranking in self.rankings}
        return {**VERSIONS, **ends, **views}


def count_in(member: str) -> Callable[[Item], Value]:
    """A key function: the number in a member; 0 if GitHub leaves it out."""

    def count(item: Item) -> Value:
        value = item.get(member)
        return value if isinstance(value, int) else 0

    return count


def text_in(member: str) -> Callable[[Item], Value]:
    """A key function: the text in a member; None if GitHub gives none, which ranks last.

    Times are ISO 8601 in UTC, and order as text.
    """

    def text(item: Item) -> Value:
        value = item.get(member)
        return value if isinstance(value, str) else None

    return text


def _by_count(name: str, member: str) -> Ranking:
    return Ranking(name, count_in(member), member=member)


# What changes how many repositories an organisation shows.
_NUMBER_OF_REPOSITORIES = frozenset(
    ["created", "deleted", "privatized", "publicized", "transferred", "archived", "unarchived"]
)
_MEMBERSHIP = (
    Event("member", item=("member",)),
    Event("membership", item=("member",)),
    Event("organization", item=("membership", "user")),
)
# What changes an item of the list of repositories: its counts, dates, name or visibility.
_REPOSITORY_EVENTS = (
    *("create", "delete", "fork", "issues", "public", "pull_request", "push", "release"),
    *("repository", "star", "watch"),
)

ROOT = Kind("root", template="/", route="/")
ORGANISATION = Kind(
    "organisation",
    template="/orgs/{org}",
    route="/orgs/{org}",
    events=(Event("public"), Event("repository", _NUMBER_OF_REPOSITORIES), *_MEMBERSHIP),
)
MEMBERS = Kind(
    "members",
    template="/orgs/{org}/members",
    route="/orgs/{org}/members",
    is_expanded=True,
    named_by="login",
    events=_MEMBERSHIP,
)
REPOSITORIES = Kind(
    "repositories",
    template="/orgs/{org}/repos",
    route="/orgs/{org}/repos",
    is_expanded=True,
    visibility=Visibility.BY_ITEM,
    named_by="full_name",
    rankings=(
        _by_count("forks", "forks_count"),
        Ranking(LAST_UPDATED, text_in("updated_at"), member="updated_at"),
        _by_count("open_issues", "open_issues_count"),
        _by_count("stars", "stargazers_count"),
        _by_count("watchers", "watchers_count"),
    ),
    events=tuple(Event(name, item=("repository",)) for name in _REPOSITORY_EVENTS),
    total=Total(ORGANISATION, "public_repos"),
)

# What `ORGS` tracks, in the order in which the status page shows it.
TRACKED = (ROOT, ORGANISATION, MEMBERS, REPOSITORIES)
# Every other path that `shared.resources.operations` allows: GitHub's own answer, page by page.
ON_DEMAND = Kind("on-demand", template="", route="on-demand", keeping=Keeping.ON_DEMAND)

# What `TRACK` names; `shared.resources.tracked_paths` chooses the row of a path.
_TRACK = "TRACK"
NAMED_OBJECT = Kind("named-object", template="", route=_TRACK, is_named=True)
NAMED_LIST = replace(NAMED_OBJECT, name="named-list", is_expanded=True)
# Lists whose items have all that repositories are ranked by.
NAMED_REPOSITORIES = replace(
    NAMED_LIST,
    name="named-repositories",
    named_by=REPOSITORIES.named_by,
    rankings=REPOSITORIES.rankings,
)
NAMED_REPOSITORIES_OF_AN_ORGANISATION = replace(
    NAMED_REPOSITORIES,
    name="named-repositories-of-an-organisation",
    visibility=REPOSITORIES.visibility,
)
NAMED = (
    NAMED_OBJECT,
    NAMED_LIST,
    NAMED_REPOSITORIES,
    NAMED_REPOSITORIES_OF_AN_ORGANISATION,
)

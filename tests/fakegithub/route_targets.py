"""What a path leads to: an object, a list, another path, or a refusal.

A resource is found first and rendered later, so that only what is sent is rendered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.fakegithub.bodies import JsonObject
from tests.fakegithub.viewers import Viewer
from tests.fakegithub.world import World

Render: TypeAlias = Callable[[str], Any]


@dataclass(frozen=True)
class Single:
    """One object; `render` takes the base address of bodies."""

    render: Render
    last_modified: str | None = None


@dataclass(frozen=True)
class Listing:
    """A list that is paged; `path` is its numeric form, `known_as` the form with names.

    around: the object that holds a page's items, if the body is not the list itself.
    """

    path: str
    known_as: str
    items: Sequence[Any]
    render: Callable[[str, Any], JsonObject]
    around: Callable[[str, list[Any]], JsonObject] | None = None


@dataclass(frozen=True)
class Moved:
    """A renamed repository: 301 to `path`, in the numeric form that never changes."""

    path: str


@dataclass(frozen=True)
class Refusal:
    """A resource that this viewer may not see: `status` and GitHub's message."""

    status: int
    message: str


@dataclass(frozen=True)
class Membership:
    """A membership: 204, or 302 to the public `path` for viewers outside."""

    path: str | None = None


RouteTarget: TypeAlias = Single | Listing | Moved | Refusal | Membership | None


@dataclass(frozen=True)
class RouteContext:
    """The input of a route beside its path."""

    world: World
    query: dict[str, str]
    viewer: Viewer

"""What a path can name: an object, a list, another path, or what is not for this viewer.

A resource is found first and rendered later, so that nothing is rendered that isn't sent.
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
    """Renamed: answer 301 to `path`, whose numeric form never changes."""

    path: str


@dataclass(frozen=True)
class Refusal:
    """There, but not for this viewer: `status` and GitHub's words."""

    status: int
    message: str


@dataclass(frozen=True)
class Membership:
    """Whether somebody belongs: 204, or 302 to the `path` where that is told to everybody."""

    path: str | None = None


Found: TypeAlias = Single | Listing | Moved | Refusal | Membership | None


@dataclass(frozen=True)
class Asked:
    """What a route may look at beside its path."""

    world: World
    query: dict[str, str]
    viewer: Viewer

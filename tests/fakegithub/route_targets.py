"""What a path leads to: an object, a list, another path, or a refusal.

A resource is found first and rendered later, so that only what is sent is rendered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.fakegithub.bodies import JsonObject
from tests.fakegithub.viewers import Viewer
from tests.fakegithub.world import World

Render: TypeAlias = Callable[[str], Any]
RenderOther: TypeAlias = Callable[[str], Any]  # bytes are sent as they are, anything else as JSON


@dataclass(frozen=True)
class Single:
    """One object; `render` takes the base address of bodies.

    media: its other representations, by the parameter of the media type.
    content_type: of a body that is never JSON.
    """

    render: Render
    last_modified: str | None = None
    media: Mapping[str, RenderOther] = field(default_factory=dict)
    content_type: str | None = None


@dataclass(frozen=True)
class Listing:
    """A list that is paged; `path` is its numeric form, `known_as` the form with names.

    around: the object that holds a page's items, if the body is not the list itself.
    media: how an item is rendered instead, by the parameter of the media type.
    most: the number of items of which pages are served; a later page is 422.
    """

    path: str
    known_as: str
    items: Sequence[Any]
    render: Callable[[str, Any], JsonObject]
    around: Callable[[str, list[Any]], JsonObject] | None = None
    media: Mapping[str, Callable[[str, Any], JsonObject]] = field(default_factory=dict)
    most: int | None = None


@dataclass(frozen=True)
class Since:
    """A list by ascending ids: a page begins after the id `since`; it is not counted in pages."""

    path: str
    items: Sequence[Any]
    render: Callable[[str, Any], JsonObject]


@dataclass(frozen=True)
class Moved:
    """A renamed repository: 301 to `path`, in the numeric form that never changes."""

    path: str


@dataclass(frozen=True)
class Elsewhere:
    """A redirect to another host: `url` in full, with an empty body."""

    url: str
    status: int = 302


@dataclass(frozen=True)
class Unknown:
    """An object with a full id that the world does not have; an example may have it."""


@dataclass(frozen=True)
class Refusal:
    """A resource that this viewer may not see: `status`, GitHub's message, further members."""

    status: int
    message: str
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Membership:
    """A membership: 204, or 302 to the public `path` for viewers outside."""

    path: str | None = None


RouteTarget: TypeAlias = (
    Single | Listing | Since | Moved | Elsewhere | Unknown | Refusal | Membership | None
)


@dataclass(frozen=True)
class RouteContext:
    """The input of a route beside its path.

    media: parameter of the media type that the request selects.
    codeload: begins the addresses of archives.
    assets: begins the addresses of release files.
    """

    world: World
    query: dict[str, str]
    viewer: Viewer
    media: str = ""
    codeload: str = "https://codeload.github.com"
    assets: str = "https://release-assets.githubusercontent.com"

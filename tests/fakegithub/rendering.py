"""From a request to a response of the world: found by its path, rendered in the form it selects.

A form is: the viewer's, the media type's, the API version's, and the base of the addresses.
Rendered responses are kept until the world changes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from tests.fakegithub import api_responses, api_versions, body_properties, forms, paging, routes
from tests.fakegithub.api_responses import ApiResponse, Paged
from tests.fakegithub.faults import Fault
from tests.fakegithub.http_messages import Request, compact_json, decoded
from tests.fakegithub.media_types import MediaType, unsupported
from tests.fakegithub.paging import encoded
from tests.fakegithub.route_targets import (
    Elsewhere,
    Listing,
    Membership,
    Moved,
    Refusal,
    RouteContext,
    RouteTarget,
    Since,
    Single,
)
from tests.fakegithub.viewers import Viewer
from tests.fakegithub.world import World

KEPT_RESPONSES: Final = 128


@dataclass(frozen=True)
class Form:
    """The form of a response.

    base: begins the addresses in bodies. here: begins those of redirects within this server.
    """

    viewer: Viewer
    media: MediaType
    version: str
    base: str
    here: str

    def json(self, value: Any) -> bytes:
        """A public body as compact JSON in this form."""
        if self.media.param in body_properties.WANTED:
            value = body_properties.selected(value, self.media.param, self.viewer)
        return compact_json(api_versions.changed(forms.seen(value, self.viewer), self.version))


@dataclass
class Renderer:
    """Renders responses; the lock of the world guards what it keeps.

    places: begin the addresses of archives and of release files.
    """

    world: World
    kept: dict[tuple[str, Form], ApiResponse] = field(default_factory=dict)
    kept_version: int = -1

    def respond(
        self, request: Request, form: Form, places: tuple[str, str], fault: Fault | None
    ) -> ApiResponse:
        """The response to a GET or HEAD of the world."""
        key = (request.target, form)
        with self.world.lock:
            if self.kept_version != self.world.version or len(self.kept) > KEPT_RESPONSES:
                self.kept.clear()
                self.kept_version = self.world.version
            if key in self.kept and fault is None:
                return self.kept[key]
            query = dict(request.query)
            context = RouteContext(self.world, query, form.viewer, form.media.param, *places)
            found = routes.find(context, request.path)
            if isinstance(found, Listing) and fault:
                found = shortened(found, fault)
            made = response(found, request, form)
            if made.status == 200 and fault is None:
                self.kept[key] = made
            return made


def shortened(found: Listing, fault: Fault) -> Listing:
    """A list without the items that a fault takes away."""
    share = {"empty_list": 0.0, "short_list": fault.share}.get(fault.kind, 1.0)
    return replace(found, items=found.items[: round(len(found.items) * share)])


def response(found: RouteTarget, request: Request, form: Form) -> ApiResponse:
    """What a path leads to, as status and body."""
    octets = form.media.param == "octets"
    if octets and not ("/releases/assets/" in request.path and found):
        return api_responses.error(415, *unsupported(request.headers.get("accept", "")))
    match found:
        case Single():
            return single(found, form)
        case Listing() | Since():
            return one_page(found, request, form)
        case Moved() | Elsewhere() | Membership():
            return redirect(found, form.here, query=urlsplit(request.target).query)
        case Refusal():
            return api_responses.error(found.status, found.message, more=found.more)
    return api_responses.not_found(decoded(request.path))


def redirect(found: Moved | Elsewhere | Membership, here: str, *, query: str) -> ApiResponse:
    """A redirect; a membership that the viewer may see is 204.

    The address of a renamed repository has the query of the request, as GitHub's has: see
    github.com/node-gh/gh, issue 579.
    """
    match found:
        case Elsewhere():
            return api_responses.elsewhere(found.status, found.url)
        case Membership(None):
            return ApiResponse(204)
        case Membership():
            location = {"Location": f"{here}{found.path}"}
            return ApiResponse(302, b"", "text/html;charset=utf-8", headers={**location})
        case Moved():
            target = encoded(found.path) + (f"?{query}" if query else "")
            return api_responses.moved(301, here + target)


def one_page(found: Listing | Since, request: Request, form: Form) -> ApiResponse:
    """One page of a list, by number or by ids."""
    if isinstance(found, Since):
        return after(found, request, form)
    return listing(found, request, form)


def single(found: Single, form: Form) -> ApiResponse:
    """An object, in the representation that the media type selects."""
    render: Callable[[str], Any] = found.media.get(form.media.param, found.render)
    value = render(form.base)
    if isinstance(value, bytes):
        content_type = found.content_type or form.media.content_type
        return ApiResponse(200, value, content_type, validated=True)
    return ApiResponse(200, form.json(value), validated=True, last_modified=found.last_modified)


def listing(found: Listing, request: Request, form: Form) -> ApiResponse:
    """One page of a list."""
    page = paging.requested_page(request.query)
    if found.most and (page.number - 1) * page.per_page >= found.most:
        message = f"Only the first {found.most} search results are available"
        return api_responses.error(422, message)
    render = found.media.get(form.media.param, found.render)
    items = [render(form.base, item) for item in page.cut(found.items)]
    value = found.around(form.base, items) if found.around else items
    total = min(len(found.items), found.most or len(found.items))
    paged = Paged(found.path, found.known_as, page, total)
    return ApiResponse(200, form.json(value), validated=True, paged=paged)


def after(found: Since, request: Request, form: Form) -> ApiResponse:
    """A page of a list by ids, with the `Link` that such lists have."""
    query = dict(request.query)
    page = paging.requested_page(request.query)
    start = int(query["since"]) if query.get("since", "").isdecimal() else 0
    later = [one for one in found.items if one.id > start]
    shown = later[: page.per_page]
    url = form.here + found.path
    links = [f'<{url}{{?since}}>; rel="first"']
    if len(later) > len(shown):
        pairs = query | {"since": str(shown[-1].id)}
        links.insert(0, f'<{url}?{urlencode(pairs)}>; rel="next"')
    body = form.json([found.render(form.base, one) for one in shown])
    return ApiResponse(200, body, validated=True, headers={"Link": ", ".join(links)})

"""The path of the page."""

import gzip
from functools import cache
from typing import NamedTuple

from flask import Blueprint, Response, render_template, request

from reader.operations.listing import areas_of
from reader.response.refused_paths import OPERATIONS
from reader.web.request import process
from shared import etag
from shared.resources.operations import operations

operations_routes = Blueprint(
    "operations",
    __name__,
    template_folder="templates",
    static_folder="assets",
    static_url_path=f"{OPERATIONS}/assets",
)
_HTML = "text/html; charset=utf-8"
# As for the status page; it has no forms that are sent.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "public, max-age=3600",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class _Page(NamedTuple):
    plain: bytes
    zipped: bytes
    tag: str


@operations_routes.get(OPERATIONS)
def operations_page() -> Response:
    """The page as HTML; rendered once a process, since anyone may ask for it."""
    page = _page(is_narrowed=bool(process().settings.on_demand_owners))
    is_zipped = request.accept_encodings["gzip"] > 0
    sent = Response(page.zipped if is_zipped else page.plain, content_type=_HTML)
    sent.headers.update(_HEADERS)
    if is_zipped:
        sent.headers["Content-Encoding"] = "gzip"
    sent.set_etag(etag.of_encoding(page.tag, "gzip" if is_zipped else None))
    sent.make_conditional(request)
    sent.headers.pop("Date", None)  # the server's own is by Redis's clock
    return sent


@cache
def _page(*, is_narrowed: bool) -> _Page:
    areas = areas_of(operations())
    text = render_template(
        "operations.html",
        areas=areas,
        total=sum(len(area.rows) for area in areas),
        served=sum(area.served for area in areas),
        is_narrowed=is_narrowed,
    )
    plain = text.encode()
    tag = etag.of_content(plain, status=200, content_type=_HTML, links=())
    return _Page(plain, gzip.compress(plain, mtime=0), tag)

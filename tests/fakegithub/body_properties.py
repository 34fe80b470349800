"""Comment bodies as Markdown, text and HTML: what the parameters raw, text, html and full select.

Source: docs.github.com, "Custom media types for issues" and of the other resources with a `body`.
"""

import html
from typing import Any, Final

from tests.fakegithub.forms import HIDDEN, HIDDEN_NAME
from tests.fakegithub.viewers import Viewer

REFERENCE: Final = f"{HIDDEN_NAME}#1"
WANTED: Final = {
    "raw": ("body",),
    "text": ("body_text",),
    "html": ("body_html",),
    "full": ("body_html", "body_text", "body"),
}
MARKED: Final = frozenset(("user", "author", "owner"))  # an object with a body has one of these


def selected(value: Any, param: str, viewer: Viewer) -> Any:
    """A rendered value with the properties that a parameter selects, at any depth."""
    if isinstance(value, list):
        return [selected(item, param, viewer) for item in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for key, item in value.items():
        if key == "body" and not MARKED.isdisjoint(value):
            made |= properties(item, param, viewer)
        else:
            made[key] = selected(item, param, viewer)
    return made


def properties(body: str | None, param: str, viewer: Viewer) -> dict[str, str | None]:
    """The properties that take the place of `body`."""
    rendered = None if body is None else f'<p dir="auto">{linked(html.escape(body), viewer)}</p>'
    forms = {"body_html": rendered, "body_text": body, "body": body}
    return {name: forms[name] for name in WANTED[param]}


def linked(text: str, viewer: Viewer) -> str:
    """HTML in which a reference is a link with a title, if the viewer sees where it leads."""
    if not viewer.reads_private:
        return text
    title, url = HIDDEN["title"], f"https://github.com/{HIDDEN_NAME}/issues/1"
    return text.replace(REFERENCE, f'<a title="{title}" href="{url}">{REFERENCE}</a>')

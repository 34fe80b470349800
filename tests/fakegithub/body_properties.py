"""Comment bodies as Markdown, text and HTML: what the parameters raw, text, html and full select.

Source: docs.github.com, "Custom media types for issues" and of the other resources with a `body`.
"""

import html
from typing import Any, Final

WANTED: Final = {
    "raw": ("body",),
    "text": ("body_text",),
    "html": ("body_html",),
    "full": ("body_html", "body_text", "body"),
}
MARKED: Final = frozenset(("user", "author", "owner"))  # an object with a body has one of these


def selected(value: Any, param: str) -> Any:
    """A rendered value with the properties that a parameter selects, at any depth."""
    if isinstance(value, list):
        return [selected(item, param) for item in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for key, item in value.items():
        if key == "body" and not MARKED.isdisjoint(value):
            made |= properties(item, param)
        else:
            made[key] = selected(item, param)
    return made


def properties(body: str | None, param: str) -> dict[str, str | None]:
    """The properties that take the place of `body`."""
    forms = {
        "body_html": None if body is None else f'<p dir="auto">{html.escape(body)}</p>',
        "body_text": body,
        "body": body,
    }
    wanted = {
        "raw": ("body",),
        "text": ("body_text",),
        "html": ("body_html",),
        "full": tuple(forms),
    }
    return {name: forms[name] for name in wanted[param]}

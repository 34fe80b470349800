"""Which of GitHub's rate limits an address counts against.

GitHub has several ("core", "search", "dependency_sbom" and more), and names the one in
`X-RateLimit-Resource` of each answer. Which addresses belong to which is GitHub's to decide, so
none are listed here: what an answer said is remembered by the shape of its address.
https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

CORE = "core"
_NAME = re.compile(r"[a-z_]{1,40}")
# How many segments are names that people chose, by the first one.
_NAMES_AFTER = {"repos": 2, "orgs": 1, "users": 1}
_LONGEST = 6  # segments; what comes behind is a file's path, if anything


def shape_of(path: str) -> str:
    """A path with the names in it left out: `/repos/*/*/dependency-graph/sbom`.

    Args:
        path: below the origin's base, or a whole URL without one.
    """
    first, *others = urlsplit(path).path.strip("/").split("/")[:_LONGEST]
    names = _NAMES_AFTER.get(first, 0)
    kept = ["*" if at < names or other.isdigit() else other for at, other in enumerate(others)]
    return "/" + "/".join([first, *kept])


def class_in(headers: Mapping[str, str]) -> str | None:
    """The class that an answer names; None where it names none, or nonsense."""
    name = headers.get("X-RateLimit-Resource", "")
    return name if _NAME.fullmatch(name) else None

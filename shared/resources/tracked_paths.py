"""What `TRACK` names: which path with which query, and whether it is a list. Pure.

A list is what GitHub sends as a JSON array in pages: all of it is kept. Anything else is kept as
GitHub sends it: objects, arrays without pages, and searches (objects that hold the first items).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from shared.resources.kinds import (
    NAMED_LIST,
    NAMED_OBJECT,
    NAMED_REPOSITORIES,
    NAMED_REPOSITORIES_OF_AN_ORGANISATION,
    REPOSITORIES,
    Kind,
)
from shared.resources.operations import Operation, operation_of
from shared.resources.operations.shapes import public_shapes
from shared.resources.resource_name import (
    MAX_NAME_BYTES,
    canonical_query,
    is_text,
    path_from,
)

# Each costs requests all the time, a row on the status page, and a look of each reader process.
MOST_PATHS = 1000
ORG = "{org}"  # stands for each of `ORGS`
PAGING = frozenset({"page", "per_page"})
# Arrays that GitHub sends whole, whatever `per_page` says.
_WITHOUT_PAGES = frozenset(
    {
        *("actions/get-reviews-for-run", "codes-of-conduct/get-all-codes-of-conduct"),
        *("dependency-graph/diff-range", "git/list-matching-refs", "gitignore/get-all-templates"),
        *("meta/get-all-versions", "repos/custom-properties-for-repos-get-repository-values"),
        *("repos/get-code-frequency-stats", "repos/get-commit-activity-stats"),
        *("repos/get-contributors-stats", "repos/get-punch-card-stats"),
        "repos/list-branches-for-head-commit",
    }
)
# Lists of everybody's things: nobody reads them to their end.
_ENDLESS = frozenset(
    {
        *("activity/list-public-events", "gists/list-public", "orgs/list", "repos/list-public"),
        "users/list",
    }
)
_ARCHIVES = frozenset({"repos/download-tarball-archive", "repos/download-zipball-archive"})
_SHOWN = 200  # characters of a path in a message
_RANKED_BY = {REPOSITORIES.named_by, *(ranking.member for ranking in REPOSITORIES.rankings)}


@dataclass(frozen=True)
class TrackedPath:
    """A path of `TRACK`, in the one way in which the cache writes it.

    Args:
        path: canonical, in lower case where GitHub ignores the case.
        query: canonical.
        kind: its row in the table of kinds.
    """

    path: str
    query: str
    kind: Kind


def tracked_paths(written: Sequence[str], orgs: Sequence[str]) -> Iterator[TrackedPath]:
    """What the parts of `TRACK` name.

    Args:
        written: the parts.
        orgs: what `{org}` stands for.

    Raises:
        ValueError: a part names nothing that can be tracked; the message quotes it.
    """
    for text in written:
        for org in orgs if ORG in text else orgs[:1]:
            try:
                yield _tracked_path(text.replace(ORG, org))
            except ValueError as error:
                raise ValueError(f"{text[:_SHOWN]!a} {error}") from None


def folded(segments: Sequence[str], operation: Operation) -> str:
    """The canonical path of segments, whose literals are in lower case.

    Args:
        segments: decoded, owners and repositories in lower case.
        operation: GitHub's operation of them.
    """
    template = operation.path.split("/")[1:]
    found = list(segments)
    for at, (segment, part) in enumerate(zip(segments, template, strict=False)):
        if part.startswith("{"):
            continue
        if segment.lower() != part.lower():  # a parameter before it spans several segments
            break
        found[at] = segment.lower()
    return path_from(found)


def _tracked_path(text: str) -> TrackedPath:
    """What one part names.

    Raises:
        ValueError: the message goes on after the part.
    """
    path, _, query = text.partition("?")
    if not path.startswith("/"):
        raise ValueError("is not a path: paths begin with /")
    if "#" in text or "{" in text or "}" in text or not is_text(text) or not text.isprintable():
        raise ValueError("has braces other than {org}, or what must be percent-encoded")
    segments, operation = operation_of(path)
    if operation is None:
        raise ValueError("is no path of GitHub's API")
    asked = canonical_query(query) if segments else ""  # the root has no parameters
    if not operation.admits(asked):
        raise ValueError(f"is not served by this cache: {operation.why}")
    if not PAGING.isdisjoint(name for name, _ in parse_qsl(asked, keep_blank_values=True)):
        raise ValueError("must not have page or per_page: the whole list is tracked")
    if operation.id in _ENDLESS:
        raise ValueError("is a list without an end")
    if operation.id in _ARCHIVES:
        raise ValueError("is an archive, which clients get from GitHub")
    found = TrackedPath(folded(segments, operation), asked, kind_of(operation))
    if len(found.path) + len(found.query) >= MAX_NAME_BYTES:
        raise ValueError("is too long")
    return found


def kind_of(operation: Operation) -> Kind:
    """The row of the table of kinds for what an operation sends."""
    shape = public_shapes().operations.get(operation.id)
    if shape is None or shape.items is None or shape.members is not None:
        return NAMED_OBJECT
    if operation.id in _WITHOUT_PAGES or shape.items.members is None:
        return NAMED_OBJECT
    if operation.path == REPOSITORIES.template:
        return NAMED_REPOSITORIES_OF_AN_ORGANISATION
    is_ranked = shape.items.members.keys() >= _RANKED_BY
    return NAMED_REPOSITORIES if is_ranked else NAMED_LIST

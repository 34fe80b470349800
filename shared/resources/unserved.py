"""Why a request's path is not served, where `Catalogue.find` has found nothing. Pure.

Only what GitHub does not have is "not found": clients take a 404 for "does not exist", and delete
or create things because of it. Whatever else is refused is refused with a reason.
"""

from dataclasses import dataclass
from enum import StrEnum

from shared.resources.operations import Decision, Operation, holds_secret, operation_of
from shared.resources.owners import Owners
from shared.resources.resource_name import (
    MAX_NAME_BYTES,
    canonical_query,
    is_text,
    path_from,
)

_GRAPHQL = frozenset({("graphql",), ("api", "graphql"), ("api", "v3", "graphql")})


class Cause(StrEnum):
    """Why a path is not served."""

    UNKNOWN = "unknown"  # GitHub has no such path
    CALLER = "caller"  # GitHub answers it to a user about that user, and 401 to others
    REFUSED = "refused"  # the decision on its operation
    PARAMETER = "parameter"  # a query parameter asks for what only some may see
    CREDENTIAL = "credential"  # a query parameter holds a credential
    OWNER = "owner"  # `ON_DEMAND_OWNERS` does not name its owner
    GRAPHQL = "graphql"  # not part of the REST API
    TOO_LONG = "too-long"  # its name is longer than any honest one


@dataclass(frozen=True)
class Unserved:
    """A path that is not served.

    Args:
        cause: why.
        operation: of GitHub's that it names; None if it names none.
        parameters: that are refused, sorted, as far as GitHub documents them.
    """

    cause: Cause
    operation: Operation | None = None
    parameters: tuple[str, ...] = ()


def unserved(path: str, query: str, owners: Owners) -> Unserved:
    """Why a request for which `Catalogue.find` found nothing is not served.

    Args:
        path: as sent, percent-encoded or not.
        query: as sent, without `?`.
        owners: whose content may be asked for.
    """
    if not is_text(path + query):
        return Unserved(Cause.UNKNOWN)
    segments, operation = operation_of(path)
    if tuple(part.lower() for part in segments) in _GRAPHQL:
        return Unserved(Cause.GRAPHQL)
    if operation is None:
        return Unserved(Cause.UNKNOWN)
    cause = _cause(operation, segments, canonical_query(query), owners)
    return Unserved(cause, operation, tuple(sorted(operation.refused_in(query))))


def _cause(operation: Operation, segments: list[str], query: str, owners: Owners) -> Cause:
    if operation.decision is Decision.REFUSED:
        return Cause.CALLER if _is_about_the_caller(operation) else Cause.REFUSED
    if holds_secret(query):
        return Cause.CREDENTIAL
    if operation.refused_in(query):
        return Cause.PARAMETER
    if not owners.admit(operation, segments, query):
        return Cause.OWNER
    is_long = len(path_from(segments)) + 1 + len(query) > MAX_NAME_BYTES
    return Cause.TOO_LONG if is_long else Cause.UNKNOWN


def _is_about_the_caller(operation: Operation) -> bool:
    """Whether it is about the user who asks; `/user/{account_id}` is about the one it names."""
    first, *others = operation.path.split("/")[1:]
    return first == "user" and others[:1] != ["{account_id}"]

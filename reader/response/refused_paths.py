"""Errors for requests that the cache refuses for what they ask: each says why, in words. Pure.

Clients decide by status, header fields and words what an error means. So a refusal has no
`Retry-After`, and no word that a client takes for a limit (PyGithub, go-github, octokit.rb and
Octokit.js look for "rate limit" and "abuse"). A 404 is left to what GitHub does not have.
"""

from urllib.parse import urlsplit

from reader.errors import ApiError, Forbidden, NotAllowed, NotFound, Unauthorized, UriTooLong
from shared.resources.operations import Operation
from shared.resources.resource_name import MAX_NAME_BYTES
from shared.resources.unserved import Cause, Unserved

# Our page that lists what is served; GitHub has no such path.
OPERATIONS = "/operations"
# Which paths expect a POST is known to `reader.bodies.wanted_bodies`.
_READING = "GET, HEAD, OPTIONS"
_POSTING = "OPTIONS, POST"


def refused_path(unserved: Unserved) -> ApiError:
    """The error for a path that is not served.

    Args:
        unserved: why.
    """
    page = page_of(unserved.operation)
    match unserved.cause:
        case Cause.UNKNOWN:
            return NotFound()
        case Cause.CALLER:  # in GitHub's words, by which clients ask their user to sign in
            return Unauthorized("Requires authentication", documentation=page)
        case Cause.TOO_LONG:
            return UriTooLong(f"This cache serves names of at most {MAX_NAME_BYTES} bytes.")
    return Forbidden(_words(unserved), documentation=page)


def _words(unserved: Unserved) -> str:
    match unserved.cause:
        case Cause.CREDENTIAL:
            return "This cache refuses credentials in a query. It serves only what is public."
        case Cause.PARAMETER:
            names = ", ".join(unserved.parameters)
            return f"This cache does not serve this with {names}: only some may see the answer."
        case Cause.OWNER:
            return "This cache serves only content of the owners that its operator has chosen."
        case Cause.GRAPHQL:
            return "This cache does not serve GraphQL: send it to GitHub itself."
    assert unserved.operation is not None
    return f"This cache does not serve this operation: {unserved.operation.why}."


def page_of(operation: Operation | None) -> str:
    """Where our page says what is served, and why not: path and fragment."""
    return OPERATIONS if operation is None else f"{OPERATIONS}#{group_of(operation)}"


def group_of(operation: Operation) -> str:
    """GitHub's category of an operation, as far as its path shows it; a fragment of our page."""
    return operation.path.split("/")[1] or "root"


def refused_method(*, is_posted_to: bool, api: str) -> ApiError:
    """The error for a method that a path does not have (RFC 9110 section 15.5.6).

    Args:
        is_posted_to: the path takes only POST.
        api: base URL of the origin's REST API.
    """
    allowed = allowed_methods(is_posted_to=is_posted_to)
    if is_posted_to:
        return NotAllowed(f"This path takes only {allowed}.", allowed)
    message = (
        f"This is a read cache: it takes {allowed}. Send writes to {api}, "
        f"and GraphQL to {graphql_of(api)}."
    )
    return NotAllowed(message, allowed, documentation=OPERATIONS)


def allowed_methods(*, is_posted_to: bool) -> str:
    """Value of `Allow` (RFC 9110 section 10.2.1)."""
    return _POSTING if is_posted_to else _READING


def graphql_of(api: str) -> str:
    """The origin's GraphQL address, beside the base URL of its REST API.

    https://docs.github.com/enterprise-server/graphql/guides/managing-enterprise-accounts
    """
    is_under_api = urlsplit(api).path.rstrip("/").endswith("/api/v3")
    return f"{api.rstrip('/').removesuffix('/v3')}/graphql" if is_under_api else f"{api}/graphql"

"""What a reader refuses with, as GitHub words it."""

import json

from shared.github_form import github_error


class ApiError(Exception):
    """A request that gets an error for an answer.

    Args:
        status: HTTP status.
        message: one line for the client.
        headers: header fields that belong to the answer.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


class NotFound(ApiError):  # noqa: N818 - named as HTTP names it
    """There is no such path here; 404."""

    def __init__(self, message: str = "Not Found") -> None:
        super().__init__(404, message)


class BadRequest(ApiError):  # noqa: N818
    """The request cannot be understood; 400."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


class Unauthorized(ApiError):  # noqa: N818
    """The request does not prove who sent it; 401, with how it could (RFC 9110 section 11.6.1)."""

    def __init__(self, message: str, *, challenge: str | None = None) -> None:
        super().__init__(401, message, {"WWW-Authenticate": challenge} if challenge else {})


class Forbidden(ApiError):  # noqa: N818
    """Whoever sends it, it is not to be done; 403."""

    def __init__(self, message: str) -> None:
        super().__init__(403, message)


class TooMany(ApiError):  # noqa: N818
    """The same was asked too often (RFC 6585 section 4); 429 with `Retry-After` in seconds."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(429, message, {"Retry-After": str(retry_after)})


class Unavailable(ApiError):  # noqa: N818
    """Nothing is held and nothing came in time; 503 with `Retry-After` in seconds."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(503, message, {"Retry-After": str(max(1, retry_after))})


def error_body(status: int, message: str) -> bytes:
    """The JSON that GitHub sends with an error."""
    return json.dumps(github_error(status, message)).encode()

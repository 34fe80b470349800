"""Errors that a reader's code raises; each one becomes an error response.

`reader.response.respond.refuse` makes the response.
"""

from shared.outcomes import Refusal


class ApiError(Exception):
    """A request that gets an error response.

    Args:
        status: HTTP status.
        message: one line for the client.
        headers: header fields that belong to the response.
        refusal: why a miss is not served; None for any other error.
        documentation: path of a page of ours that explains it; None for GitHub's documentation.
    """

    def __init__(
        self,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        *,
        refusal: Refusal | None = None,
        documentation: str | None = None,
    ) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.documentation = documentation
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
    """The request is not authenticated; 401, with a challenge (RFC 9110 section 11.6.1)."""

    def __init__(
        self, message: str, *, challenge: str | None = None, documentation: str | None = None
    ) -> None:
        headers = {"WWW-Authenticate": challenge} if challenge else {}
        super().__init__(401, message, headers, documentation=documentation)


class Forbidden(ApiError):  # noqa: N818
    """The request is refused, whoever sends it; 403."""

    def __init__(self, message: str, *, documentation: str | None = None) -> None:
        super().__init__(403, message, documentation=documentation)


class NotAllowed(ApiError):  # noqa: N818
    """The path does not have this method; 405 with `Allow` (RFC 9110 section 15.5.6)."""

    def __init__(self, message: str, allow: str, *, documentation: str | None = None) -> None:
        super().__init__(405, message, {"Allow": allow}, documentation=documentation)


class UriTooLong(ApiError):  # noqa: N818
    """The request target is longer than is served; 414."""

    def __init__(self, message: str) -> None:
        super().__init__(414, message)


class UnsupportedMediaType(ApiError):  # noqa: N818
    """Nothing that the client accepts can be sent; 415, as GitHub says it."""

    def __init__(self, message: str) -> None:
        super().__init__(415, message)


class TooMany(ApiError):  # noqa: N818
    """Too many requests (RFC 6585 section 4); 429 with `Retry-After` in seconds."""

    def __init__(self, message: str, *, retry_after: int, refusal: Refusal | None = None) -> None:
        super().__init__(429, message, {"Retry-After": str(retry_after)}, refusal=refusal)


class NotHeld(ApiError):  # noqa: N818
    """Nothing is held that the client takes, and it waits for nothing (RFC 9111 5.2.1.7); 504."""

    def __init__(self) -> None:
        super().__init__(504, "Nothing is held that the request's Cache-Control admits.")


class Unavailable(ApiError):  # noqa: N818
    """The request cannot be served now; 503 with `Retry-After` in seconds."""

    def __init__(self, message: str, *, retry_after: int, refusal: Refusal | None = None) -> None:
        headers = {"Retry-After": str(max(1, retry_after))}
        super().__init__(503, message, headers, refusal=refusal)

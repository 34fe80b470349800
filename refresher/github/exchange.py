"""One request to GitHub and its response, as the meter and the privilege checks see it."""

from collections.abc import Mapping
from dataclasses import dataclass

from refresher.github import rate_limit_headers
from refresher.github.auth.credentials import Credential


@dataclass(frozen=True)
class Exchange:
    """One request to GitHub and its response.

    Args:
        status: HTTP status; None if no response came.
        seconds: from sending the request to the last byte of the response.
        credential: the credential of the request.
        headers: response header fields; names ignore case.
    """

    status: int | None
    seconds: float
    credential: Credential
    headers: Mapping[str, str]

    @property
    def points(self) -> int:
        """Cost against the primary rate limit: a 304 to an authorised request is free.

        https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
        """
        free = self.status == 304 and not self.credential.is_anonymous
        return 0 if free or self.status in {None, 401} else 1

    @property
    def left(self) -> int | None:
        """Requests that remain of the rate limit; None if the response does not say."""
        return rate_limit_headers.remaining(self.headers)

"""GitHub's response, read completely."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class GitHubResponse:
    """A complete response of GitHub's.

    Args:
        url: of the last request, after redirects.
        status: HTTP status.
        headers: header fields; names ignore case.
        body: decompressed.
        links: target by relation, from `Link`.
        given_to: fingerprint of the request's identity.
        credential: public id of the request's credential.
        is_anonymous: whether the request carried no credential.
        moved_to: new URL of the resource, if all redirects were permanent.
        moved_at: Unix time in seconds when the old URL was asked, and redirected to it; 0 without.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    links: Mapping[str, str]
    given_to: str = ""
    credential: str = ""
    is_anonymous: bool = True
    moved_to: str | None = None
    moved_at: float = 0

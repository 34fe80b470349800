"""What the origin answered, complete."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class GitHubResponse:
    """A complete answer of the origin.

    Args:
        url: where it came from in the end, after redirects.
        status: HTTP status.
        headers: header fields; names ignore case.
        body: decompressed.
        links: target by relation, from `Link`.
        given_to: fingerprint of the identity that asked.
        credential: public id of the credential that asked.
        is_anonymous: it was asked without one.
        moved_to: where to ask from now on, after redirects that were all permanent.
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

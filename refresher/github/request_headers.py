"""Header fields of requests to GitHub: those of every request, and what they select."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.api_versions import HEADER, UNNAMED

MEDIA_TYPE = "application/vnd.github+json"
# GitHub refuses requests without a User-Agent, and asks for one that names the application.
USER_AGENT = "api-read-cache"


@dataclass(frozen=True)
class Selected:
    """The representation that a request selects.

    Args:
        accept: value of `Accept`.
        api_version: of GitHub's API.
    """

    accept: str = MEDIA_TYPE
    api_version: str = UNNAMED

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields of a request."""
        return {
            "Accept": self.accept,
            "Accept-Encoding": "gzip",
            "User-Agent": USER_AGENT,
            HEADER: self.api_version,
        }

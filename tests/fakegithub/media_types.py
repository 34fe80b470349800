"""Media types of a request: what `Accept` selects, and how GitHub names it in its response.

Sources: docs.github.com "Getting started with the REST API", section "Media types"; the headers of
GitHub's own responses as clients' test suites record them. A type is
`application/vnd.github[.version][.param][+json]`. GitHub writes the selected one into
`X-GitHub-Media-Type`, and a body that is not JSON has the `Content-Type` that the client wrote.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# Parameters that select another representation; any other word is a version or a preview.
PARAMS: Final = (
    "raw", "html", "text", "full", "diff", "patch", "sha", "base64", "object", "star", "text-match",
)  # fmt: skip
VENDOR: Final = re.compile(r"application/vnd\.github((?:\.[a-z0-9_-]+)*)(\+json)?")
JSON: Final = ("application/json", "application/*", "*/*")
OCTETS: Final = "application/octet-stream"
SARIF: Final = "application/sarif+json"
UNSUPPORTED_DOCS: Final = "https://docs.github.com/v3/media"


@dataclass(frozen=True)
class MediaType:
    """The media type that GitHub selected.

    written: as the client wrote it, without its parameters.
    version: `v3`, or the name of a preview.
    param: one of PARAMS, "octets" for a file's bytes, or "" for plain JSON.
    json: whether the type itself says that the body is JSON.
    """

    written: str = "application/json"
    version: str = "v3"
    param: str = ""
    json: bool = True

    @property
    def label(self) -> str:
        """The value of `X-GitHub-Media-Type`."""
        parts = [f"github.{self.version}"]
        parts += [f"param={self.param}"] if self.param in PARAMS else []
        return "; ".join([*parts, *(["format=json"] if self.json else [])])

    @property
    def content_type(self) -> str:
        """The `Content-Type` of a body that is not JSON."""
        return f"{self.written}; charset=utf-8"


def selected(accept: str | None) -> MediaType | None:
    """The type that an `Accept` selects; None if GitHub serves none of its types (415).

    The one with the greatest weight is selected, and among equals the first.
    """
    weighted = sorted(entries(accept or "*/*"), key=lambda entry: -entry[1])
    found = (media_type(written) for written, weight in weighted if weight > 0)
    return next((one for one in found if one), None)


def entries(accept: str) -> Iterator[tuple[str, float]]:
    """The types of an `Accept` with their weights; a malformed weight counts as 1."""
    for entry in accept.split(","):
        written, *parameters = (part.strip().lower() for part in entry.split(";"))
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        yield written, float(weight) if re.fullmatch(r"[01](\.[0-9]{0,3})?", weight) else 1.0


def media_type(written: str) -> MediaType | None:
    """One entry of an `Accept` as GitHub reads it; None if GitHub serves no such type."""
    if written in JSON:
        return MediaType()
    if written == OCTETS:
        return MediaType(written, param="octets", json=False)
    if written == SARIF:
        return MediaType(written)
    match = VENDOR.fullmatch(written)
    if match is None:
        return None
    words = match[1].split(".")[1:]
    param = words.pop() if words and words[-1] in PARAMS else ""
    return MediaType(written, ".".join(words) or "v3", param, match[2] is not None)


def unsupported(accept: str) -> tuple[str, str]:
    """Message and documentation address of the 415."""
    message = f"Unsupported 'Accept' header: '{accept}'. Must accept 'application/json'."
    return message, UNSUPPORTED_DOCS

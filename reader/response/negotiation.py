"""Which representation a client asks for: by `Accept` and `X-GitHub-Api-Version`. Pure.

What GitHub does: of the media types that `Accept` lists, the best that the operation has is sent;
previews and names that GitHub does not know count as plain JSON; 415 is the response only if
nothing in `Accept` can be sent.
"""

import re
from collections.abc import Iterator, Mapping

from reader.errors import BadRequest, Forbidden, UnsupportedMediaType
from shared.api_versions import HEADER, SUPPORTED
from shared.resources.media_types import (
    JSON,
    MediaType,
    media_type,
    media_types_of,
    vendor_name,
)
from shared.resources.operations import Operation
from shared.resources.resource import Resource

# The fields that a representation depends on, in `Vary` (RFC 9110 section 12.5.5).
FIELDS = f"Accept, Accept-Encoding, {HEADER}"
_MAX_RANGES = 64  # media ranges of an `Accept` that are read
_RANGE = re.compile(r"[a-z0-9!#$&^_.+*-]+/[a-z0-9!#$&^_.+*-]+")
_QUALITY = re.compile(r"\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)
_JSON_TYPES = frozenset({"*/*", "application/*", "application/json"})
# GitHub redirects to the file of a release to a client that asks for it.
_FILE, _FILES_OF = "application/octet-stream", frozenset({"repos/get-release-asset"})


def negotiated(resource: Resource, *, accept: str | None, version: str | None) -> Resource:
    """The representation of a resource that a request asks for.

    Args:
        resource: that its target names.
        accept: value of `Accept`; None if absent.
        version: value of `X-GitHub-Api-Version`; None if absent.

    Raises:
        BadRequest: GitHub's API has no such version.
        UnsupportedMediaType: nothing in `Accept` can be sent.
        Forbidden: it asks for the file of a release, which the cache does not serve.
    """
    if accept is None and version is None:
        return resource
    media = JSON if accept is None else _media(resource.operation, accept)
    found = resource.represented(media=media, version=_version(version) or resource.api_version)
    assert found is not None
    return found


def fields_of(resource: Resource) -> Mapping[str, str]:
    """The header fields that say which representation a response is, named as at GitHub."""
    media = resource.media_type
    parameters = ["github.v3"]
    if media.name:
        parameters.append(f"param={media.name}")
    if media.accept.endswith("+json"):
        parameters.append("format=json")
    return {
        "X-GitHub-Media-Type": "; ".join(parameters),
        f"{HEADER}-Selected": resource.api_version,
    }


def _version(sent: str | None) -> str:
    """The version that a client names; empty if it names none."""
    version = (sent or "").strip()
    if version and version not in SUPPORTED:
        known = ", ".join(f'"{one}"' for one in SUPPORTED)
        shown = version[:40] if version.isprintable() else "?"
        raise BadRequest(f'{HEADER} "{shown}" is not supported. Supported versions: {known}.')
    return version


def _media(operation: Operation | None, accept: str) -> str:
    """The name of the media type to send."""
    ranges = list(_ranges(accept))
    if not ranges:  # empty or malformed
        return JSON
    documented, usual = media_types_of(operation), media_type(operation, JSON)
    for one in sorted(ranges, key=lambda named: -named[1]):  # stable: the client's order
        name, quality = one
        if quality > 0:
            found = _sendable(name, documented)
            if found is not None:
                return found
            if usual.sent_as and name in (usual.sent_as, f"{usual.sent_as.partition('/')[0]}/*"):
                return usual.name
            if name == _FILE and operation is not None and operation.id in _FILES_OF:
                raise Forbidden(
                    "This cache serves what GitHub says of a release's file, not the file."
                )
    raise UnsupportedMediaType(
        f"Unsupported 'Accept' header: {accept[:100]!a}. Must accept 'application/json'."
    )


def _sendable(name: str, documented: Mapping[str, MediaType]) -> str | None:
    """The name of the media type to send for a media range; None if it cannot be sent."""
    if name in _JSON_TYPES:
        return JSON
    vendor = vendor_name(name)
    if vendor is None:
        return None
    return vendor if vendor in documented else JSON


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """The media ranges of an `Accept` with their quality; malformed ones are left out."""
    for part in accept.split(",")[:_MAX_RANGES]:
        name, *parameters = part.split(";")
        name = name.strip().lower()
        if _RANGE.fullmatch(name):
            qualities = (_QUALITY.fullmatch(parameter) for parameter in parameters)
            found = next(filter(None, qualities), None)
            yield name, 1.0 if found is None else float(found[1])

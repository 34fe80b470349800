"""The pipeline from an entry to a response, called by the front and by Flask alike.

A pure function: both send exactly what it returns, so a hit is the same from either.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from reader.errors import ApiError
from reader.response.representation import Representation
from reader.response.response import HttpResponse, RequestFields, json_response, to_response
from reader.response.target import Target
from reader.telemetry.counters import RequestLabels
from shared.entry import Entry
from shared.github_form import DOCUMENTATION, github_error
from shared.outcomes import Served

_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


class LabelledResponse(NamedTuple):
    """A response, and the labels that it is counted under."""

    response: HttpResponse
    labels: RequestLabels


def respond(
    target: Target,
    entry: Entry,
    fields: RequestFields,
    *,
    served: Served,
    now: float,
    rewrite: Callable[[Representation], Representation] | None = None,
    limits: Mapping[str, str] = _NO_FIELDS,
) -> LabelledResponse:
    """The response to a request for content.

    Args:
        target: what the request names.
        entry: of the target's resource, fresh or stale.
        fields: of the request.
        served: where the entry was found.
        now: Unix time in seconds.
        rewrite: applied to the representation; None if there is nothing to change.
        limits: the `X-RateLimit-*` fields.

    Raises:
        ApiError: the entry lacks what the target names; `refuse` makes the response.
    """
    representation = target.represent(entry)
    if rewrite is not None:
        representation = rewrite(representation)
    response = to_response(representation, fields, target.fields, served=served, now=now)
    response.headers.update(limits)
    is_stale = not entry.metadata.is_fresh(now)
    return LabelledResponse(response, target.labels(served, response.status, is_stale=is_stale))


def refuse(
    error: ApiError, *, base: str | None = None, limits: Mapping[str, str] = _NO_FIELDS
) -> HttpResponse:
    """The response to a request that fails, in GitHub's form, whichever layer refuses it.

    The front, the ASGI application and Flask make all their error responses here.

    Args:
        error: why it fails.
        base: URL below which our own pages are, at the address that the client used; None if that
            is not known: then GitHub's documentation is named instead of ours.
        limits: the `X-RateLimit-*` fields.
    """
    is_ours = base is not None and error.documentation is not None
    documentation = f"{base}{error.documentation}" if is_ours else DOCUMENTATION
    body = github_error(error.status, error.message, documentation)
    return json_response(body, status=error.status, headers={**error.headers, **limits})

"""Whether a reader is well: asked by balancers, every few seconds, whatever else goes on."""

import json
from collections.abc import Sequence

from reader.response.response import CORS_HEADERS, HttpResponse
from shared.github_form import JSON
from shared.resources.resource import Resource


def livez() -> HttpResponse:
    """The process answers at all."""
    return json_response({"status": "ok"})


def healthcheck(missing: Sequence[Resource]) -> HttpResponse:
    """200 once every tracked resource can be served, else 503 that names what is missing."""
    if missing:
        names = [resource.name for resource in missing]
        return json_response({"status": "unavailable", "missing": names}, status=503)
    return json_response({"status": "ok"})


def json_response(value: object, *, status: int = 200) -> HttpResponse:
    """JSON that is of this moment only."""
    body = json.dumps(value).encode()
    headers = {
        "Content-Type": JSON,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        **CORS_HEADERS,
    }
    return HttpResponse(status, headers, body)

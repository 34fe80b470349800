"""The responses of `/livez` and `/healthcheck`, which load balancers request every few
seconds.

The ASGI application sends them without a thread. Without ASGI (`gunicorn reader.wsgi:app`), Flask
sends them.
"""

from collections.abc import Callable, Sequence

from reader.response.response import HttpResponse, json_response
from shared.resources.resource import Resource

LIVEZ = "/livez"
HEALTHCHECK = "/healthcheck"


def health(path: str, missing: Callable[[], Sequence[Resource]]) -> HttpResponse | None:
    """The response to a health check; None for any other path.

    `/livez` is 200 as long as the process responds at all. `/healthcheck` is 200 once every
    tracked resource can be served, else 503 with the names of those that cannot. What `TRACK` names
    is counted only: nobody has to know of it before it can be read, and a path that could not be
    read counts no more (`LocalCache.note_tried`).

    Args:
        path: of a GET or HEAD request, decoded.
        missing: returns the tracked resources that cannot be served yet.
    """
    if path == LIVEZ:
        return json_response({"status": "ok"})
    if path != HEALTHCHECK:
        return None
    found = missing()
    names = [resource.name for resource in found if not resource.kind.is_named]
    if len(names) < len(found):
        names.append(f"TRACK: {len(found) - len(names)}")
    if names:
        return json_response({"status": "unavailable", "missing": names}, status=503)
    return json_response({"status": "ok"})

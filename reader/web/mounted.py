"""Has Flask route the paths below the mount `/api/v3` as it routes those under `/`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reader.response.mount import split_mount
from reader.web.request import target_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Mounted:
    """A WSGI application that is served under `/` and under the mount.

    The mount becomes `SCRIPT_NAME`, which is WSGI's own word for it (PEP 3333): Flask's paths are
    what lies below it. Whether there is one is decided by the target as the client sent it, as for
    `parse_target`; `PATH_INFO` is decoded.

    Args:
        app: the application.
    """

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Serve one request."""
        mount, _ = split_mount(target_of(environ))
        path: str = environ.get("PATH_INFO", "")
        if mount and path.startswith(mount):
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + mount
            environ["PATH_INFO"] = path[len(mount) :] or "/"  # else Flask redirects
        return self._app(environ, start_response)

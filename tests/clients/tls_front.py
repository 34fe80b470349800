"""HTTPS for a server: HAProxy as it is configured in `deploy/`, with a certificate."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from scripts.debian import find
from scripts.embedded_redis import free_port
from tests.end_to_end.tls import Authority
from tests.shipping.environment import HAPROXY
from tests.waiting import eventually

# A server that does not know of the front says http in `Link`.
_LINK = (
    "    http-response set-header Link %[res.fhdr(Link),regsub(http://,https://,g)]"
    " if { res.fhdr(Link) -m found }\n"
)


@contextmanager
def tls_front(server: str, folder: Path, authority: Authority) -> Iterator[str]:
    """HAProxy before one server, without health checks; gives its https address.

    Args:
        server: the server's address.
        folder: for its configuration; is created.
        authority: issues its certificate, for `localhost`.
    """
    folder.mkdir()
    certificate, configuration = folder / "front.pem", folder / "haproxy.cfg"
    certificate.write_bytes(authority.server_file.read_bytes() + authority.server_key.read_bytes())
    port = free_port()
    text = HAPROXY.read_text()
    text = text.replace("bind :8080", f"bind 127.0.0.1:{port} ssl crt {certificate}")
    text = re.sub(
        " +server-template .*", f"    server one {urlsplit(server).netloc} no-check", text
    )
    configuration.write_text(text.replace("    default_backend", f"{_LINK}    default_backend"))
    program = find("haproxy")
    assert program is not None
    with subprocess.Popen(
        [program, "-f", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as process:
        try:
            eventually(lambda: _listens(port), what="HAProxy listens")
            yield f"https://localhost:{port}"
        finally:
            process.kill()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True

"""nginx's proxy_cache and Varnish before the stand-in GitHub, set up for misses.

Both do what this cache does: connections to the origin are kept open, one request fetches what
several clients wait for, stale content is served while it is revalidated with its `ETag`.
"""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

# `proxy_cache_lock_timeout`: without it, nginx sends waiting clients' requests after 5 s.
_NGINX = """
daemon off;
pid nginx.pid;
user %(user)s;
worker_processes auto;

events {
    worker_connections 4096;
}

http {
    access_log off;
    default_type application/octet-stream;
    keepalive_requests 1000000000;

    proxy_cache_path cache keys_zone=github:64m levels=1:2 inactive=1d use_temp_path=off;
    proxy_cache github;
    proxy_cache_key $request_uri;
    proxy_cache_valid 200 %(lifetime)gs;
    proxy_ignore_headers Cache-Control Expires Vary;
    proxy_cache_lock on;
    proxy_cache_lock_timeout 60s;
    proxy_cache_use_stale updating error timeout;
    proxy_cache_background_update on;
    proxy_cache_revalidate on;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate %(authority)s;
    proxy_ssl_name localhost;  # it looks for no address in certificates

    upstream origin {
        server 127.0.0.1:%(upstream)d;
        keepalive 256;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }

    server {
        listen 127.0.0.1:%(port)d backlog=4096;
        location / {
            proxy_pass %(scheme)s://origin;
        }
    }
%(folders)s
}
"""
_FOLDERS = "\n".join(
    f"    {name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)

_VARNISH = """
vcl 4.1;

backend origin {
    .host = "127.0.0.1";
    .port = "%(upstream)d";
}

sub vcl_backend_response {
    set beresp.ttl = %(lifetime)gs;
    set beresp.grace = 1d;
    set beresp.keep = 1d;
}
"""


@dataclass(frozen=True)
class Upstream:
    """The origin, as another cache is told of it.

    Args:
        port: on 127.0.0.1.
        authority: file of the certificate authority, PEM.
        secure: whether the port has TLS.
        lifetime: seconds that content stays fresh in the cache.
    """

    port: int
    authority: Path
    secure: bool
    lifetime: float


def nginx(program: Path, folder: Path, *, port: int, upstream: Upstream) -> list[str]:
    """Write nginx's configuration; return the command that runs it in the foreground.

    Args:
        program: path of nginx.
        folder: for configuration, cache and logs; it is created.
        port: to listen on.
        upstream: the origin.
    """
    folder.mkdir()
    known = {
        # Started by root, its workers would run as a user who may not read the folder.
        "user": pwd.getpwuid(os.geteuid()).pw_name,
        "port": port,
        "upstream": upstream.port,
        "scheme": "https" if upstream.secure else "http",
        "authority": upstream.authority,
        "lifetime": upstream.lifetime,
        "folders": _FOLDERS,
    }
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX % known)
    return [
        *(str(program), "-p", str(folder), "-c", str(configuration)),
        *("-e", str(folder / "error.log")),
    ]


def varnish(program: Path, folder: Path, *, port: int, upstream: Upstream) -> list[str]:
    """Write Varnish's configuration; return the command that runs it in the foreground.

    Args:
        program: path of varnishd.
        folder: for configuration and shared memory; it is created.
        port: to listen on.
        upstream: the origin, without TLS.
    """
    folder.mkdir()
    configuration = folder / "origin.vcl"
    configuration.write_text(_VARNISH % {"upstream": upstream.port, "lifetime": upstream.lifetime})
    return [
        *(str(program), "-F", "-n", str(folder / "instance"), "-f", str(configuration)),
        *("-a", f"127.0.0.1:{port}", "-s", "malloc,256m"),
        # Otherwise it changes to users of its own, who may not read the folder.
        *("-j", "none"),
        # Otherwise it keeps only the compressed body, and unpacks it for each client without gzip.
        *("-p", "http_gzip_support=off"),
    ]

"""nginx's proxy_cache in front of a reader, with Debian's configuration or a tuned one."""

import os
import pwd
from pathlib import Path

# Debian's /etc/nginx/nginx.conf (12, "bookworm"), with the site that its user writes for a cache.
_DEBIAN = """
worker_processes auto;

events {
    worker_connections 768;
}

http {
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    default_type application/octet-stream;
    access_log access.log;
    gzip on;

    proxy_cache_path cache keys_zone=github:10m;

    server {
        listen 127.0.0.1:%(port)d;
        location / {
            proxy_cache github;
            proxy_cache_valid 200 1d;
            proxy_pass http://127.0.0.1:%(upstream)d;
        }
    }
%(folders)s
}
"""

# One worker for the one core; no file opened, and no line written, for a request. Small bodies are
# quickest written in one piece with their heads; of large ones sendfile serves most for a CPU
# second, though a client on this machine takes longer to read them. `tcp_nopush`, which is often
# advised, holds back the end of a large body on loopback: then client and server just wait.
_TUNED = """
worker_processes 1;
worker_rlimit_nofile 65536;

events {
    worker_connections 16384;
    multi_accept on;
    accept_mutex off;
}

http {
    sendfile off;
    output_buffers 2 512k;
    tcp_nopush off;
    tcp_nodelay on;
    access_log off;
    gzip off;
    server_tokens off;
    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    open_file_cache max=10000 inactive=1h;
    open_file_cache_valid 1h;
    open_file_cache_min_uses 1;

    proxy_cache_path cache keys_zone=github:64m levels=1:2 inactive=1d use_temp_path=off;
    proxy_cache github;
    proxy_cache_valid 200 1d;
    proxy_cache_lock on;
    proxy_cache_key $request_uri;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    upstream reader {
        server 127.0.0.1:%(upstream)d;
        keepalive 16;
    }

    server {
        listen 127.0.0.1:%(port)d backlog=4096 reuseport;
        location / {
            proxy_pass http://reader;
        }
        location ~ /repos$ {
            sendfile on;
            proxy_pass http://reader;
        }
    }
%(folders)s
}
"""

# Otherwise it uses those of the system's nginx.
_FOLDERS = "\n".join(
    f"    {name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)


def command(program: Path, folder: Path, *, port: int, upstream: int, tuned: bool) -> list[str]:
    """Write the configuration; return the command that runs nginx in the foreground.

    Args:
        program: path of nginx.
        folder: for configuration, cache and logs; it is created.
        port: to listen on.
        upstream: port of the reader behind it.
        tuned: whether to use the tuned configuration instead of Debian's.
    """
    folder.mkdir()
    known = {"port": port, "upstream": upstream, "folders": _FOLDERS}
    text = (_TUNED if tuned else _DEBIAN) % known
    # Started by root, its workers would run as a user who may not read the folder.
    head = f"daemon off;\npid nginx.pid;\nuser {pwd.getpwuid(os.geteuid()).pw_name};\n"
    configuration = folder / "nginx.conf"
    configuration.write_text(head + text)
    return [
        *(str(program), "-p", str(folder), "-c", str(configuration)),
        *("-e", str(folder / "error.log")),
    ]

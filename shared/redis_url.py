"""Checks and completes the URLs in settings; error messages never quote a URL.

A URL may hold a password, so no error here, nor one of the standard library's, shows any of it.
"""

import re
from urllib.parse import SplitResult, quote, urlsplit

from shared import sentinel_url

_REDIS_SCHEMES = ("redis", "rediss", "unix")
_TLS_SCHEMES = ("rediss", "rediss+sentinel")


def split_url(value: str) -> SplitResult:
    """Parse a URL.

    Raises:
        ValueError: it is malformed.
    """
    try:
        # `urlsplit` silently drops line breaks; neither these nor spaces belong in a URL.
        if not re.fullmatch(r"[!-~]+", value):
            raise ValueError
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("must be a URL; its port must be below 65536") from None
    return parts


def check_redis(value: str) -> None:
    """Check that a URL names a Redis, or the sentinels that know one.

    Raises:
        ValueError: it names neither.
    """
    if sentinel_url.is_sentinel_url(value):
        sentinel_url.parse(value)
    elif split_url(value).scheme not in _REDIS_SCHEMES:
        raise ValueError("must begin with redis://, rediss://, unix:// or redis+sentinel://")
    else:
        server(value)


def server(value: str) -> str:
    """The server of a URL, in a form that is equal for URLs of the same server.

    Raises:
        ValueError: it names no server.
    """
    parts = split_url(value)
    if parts.scheme not in _REDIS_SCHEMES:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("must contain the path of a socket")
        return parts.path
    if not parts.hostname:
        raise ValueError("must contain a host")
    return f"{parts.hostname}:{parts.port or 6379}"


def uses_tls(url: str) -> bool:
    """Whether a Redis URL uses TLS."""
    return url.partition("://")[0] in _TLS_SCHEMES


def with_password(url: str, password: str | None) -> str:
    """A Redis URL with this password, unless it holds one already."""
    scheme, _, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    userinfo, at, _ = authority.rpartition("@")
    user, _, own = userinfo.partition(":")
    if password is None or own:
        return url
    return f"{scheme}://{user}:{quote(password, safe='')}@{rest[len(userinfo + at) :]}"


def with_certificates(url: str, file: str | None) -> str:
    """A Redis URL with this certificate file, if it uses TLS and names none already."""
    if file is None or not uses_tls(url) or "ssl_ca_certs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_ca_certs={quote(file, safe='/')}"

"""Taking apart the URLs that settings hold: what is wrong with one is said without quoting it.

A URL may hold a password, and so no error here, nor one of the standard library's, shows any of it.
"""

import re
from urllib.parse import SplitResult, quote, urlsplit

from shared.redis import sentinel_url

_REDIS_SCHEMES = ("redis", "rediss", "unix")
_TLS_SCHEMES = ("rediss", "rediss+sentinel")


def split_url(value: str) -> SplitResult:
    """Take a URL apart.

    Raises:
        ValueError: it is no URL.
    """
    try:
        # Line breaks, which `urlsplit` drops in silence, and spaces belong in no URL.
        if not re.fullmatch(r"[!-~]+", value):
            raise ValueError
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("must be a URL, with a port below 65536 if any") from None
    return parts


def check_redis(value: str) -> None:
    """Whether it names a Redis, or the sentinels that know where one is.

    Raises:
        ValueError: it does not.
    """
    if sentinel_url.is_sentinel_url(value):
        sentinel_url.parse(value)
    elif split_url(value).scheme not in _REDIS_SCHEMES:
        raise ValueError("must begin with redis://, rediss://, unix:// or redis+sentinel://")
    else:
        server(value)


def server(value: str) -> str:
    """Which one server a URL names, in a form that is equal for equal ones.

    Raises:
        ValueError: it names none.
    """
    parts = split_url(value)
    if parts.scheme not in _REDIS_SCHEMES:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("must hold the path of a socket")
        return parts.path
    if not parts.hostname:
        raise ValueError("must hold a host")
    return f"{parts.hostname}:{parts.port or 6379}"


def uses_tls(url: str) -> bool:
    """Whether what a Redis URL names is spoken to with TLS."""
    return url.partition("://")[0] in _TLS_SCHEMES


def with_password(url: str, password: str | None) -> str:
    """A Redis URL with a password where it holds none."""
    scheme, _, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    userinfo, at, _ = authority.rpartition("@")
    user, _, own = userinfo.partition(":")
    if password is None or own:
        return url
    return f"{scheme}://{user}:{quote(password, safe='')}@{rest[len(userinfo + at) :]}"


def with_certificates(url: str, file: str | None) -> str:
    """A Redis URL, of one that uses TLS, with a file of certificates where it names none."""
    if file is None or not uses_tls(url) or "ssl_ca_certs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_ca_certs={quote(file, safe='/')}"

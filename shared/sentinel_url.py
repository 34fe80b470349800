"""URLs of a Redis behind sentinels: the sentinels, the master's name, and connection options.

    redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/master[/db][?options]

The format of the packages redis-sentinel-url and limits; `rediss+sentinel` uses TLS, for the
sentinels as well. User and password are the master's. The options are those of redis-py's URLs,
plus `sentinel_username` and `sentinel_password` for the sentinels, which have their own users.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from redis.connection import parse_url

SCHEMES = ("redis+sentinel", "rediss+sentinel")
PORT = 26379  # default port of a sentinel

_FORM = re.compile(
    r"(?P<scheme>rediss?)\+sentinel://"
    r"(?:(?P<user>[^@/?#]*)@)?(?P<hosts>[^@/?#]+)/(?P<master>[^/?#]+)"
    r"(?:/(?P<db>[0-9]*))?(?:\?(?P<options>[^#]*))?"
)
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_OF_SENTINELS = "sentinel_"


@dataclass(frozen=True)
class SentinelUrl:
    """The parts of a sentinel URL.

    Args:
        sentinels: host and port of each, in the order in which they are queried.
        master: the master's name.
        options: arguments of a connection to the master, including the password.
        sentinel_options: arguments of a connection to a sentinel.
    """

    sentinels: tuple[tuple[str, int], ...]
    master: str
    options: Mapping[str, Any] = field(repr=False)
    sentinel_options: Mapping[str, Any] = field(repr=False)


def is_sentinel_url(location: str) -> bool:
    """Whether a URL names sentinels instead of a Redis."""
    return location.partition("://")[0] in SCHEMES


def parse(location: str) -> SentinelUrl:
    """Parse a sentinel URL.

    Raises:
        ValueError: it is malformed; the message quotes nothing of it.
    """
    parts = _FORM.fullmatch(location)
    if parts is None:
        raise ValueError("must be redis+sentinel://host:port,host:port/name-of-the-master/0")
    scheme, user, db = parts["scheme"], parts["user"], parts["db"]
    plain = f"{scheme}://{f'{user}@' if user else ''}unused/{db or 0}?{parts['options'] or ''}"
    options: dict[str, Any] = parse_url(plain)  # type: ignore[no-untyped-call]
    del options["host"]
    options.pop("connection_class", None)
    own = {name for name in options if name.startswith(_OF_SENTINELS)}
    of_sentinels = {name.removeprefix(_OF_SENTINELS): options.pop(name) for name in own}
    if of_sentinels.keys() - {"username", "password"}:
        raise ValueError("supports only sentinel_username and sentinel_password for sentinels")
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    if scheme == "redis" and tls:
        raise ValueError("must begin with rediss+sentinel:// if it has TLS options")
    if scheme == "rediss":
        tls["ssl"] = True
    return SentinelUrl(
        sentinels=tuple(_hosts(parts["hosts"])),
        master=unquote(parts["master"]),
        options={**options, **tls},
        sentinel_options={**of_sentinels, **tls},
    )


def _hosts(named: str) -> Iterator[tuple[str, int]]:
    for one in named.split(","):
        host = _HOST.fullmatch(one)
        if host is None or not 0 < int(host["port"] or PORT) < 65536:
            raise ValueError("must name the sentinels as host:port, separated by commas")
        yield host["v6"] or unquote(host["name"]), int(host["port"] or PORT)

"""A Redis that sentinels watch, as a URL: who to ask for the master, and how to speak to it.

    redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/master[/db][?options]

The form of the packages redis-sentinel-url and limits; `rediss+sentinel` for TLS, to the sentinels
as well. User and password are the master's. Options are those of redis-py's URLs, and for the
sentinels, which have users of their own, `sentinel_username` and `sentinel_password`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from redis.connection import parse_url

SCHEMES = ("redis+sentinel", "rediss+sentinel")
PORT = 26379  # the sentinels' own

_FORM = re.compile(
    r"(?P<scheme>rediss?)\+sentinel://"
    r"(?:(?P<user>[^@/?#]*)@)?(?P<hosts>[^@/?#]+)/(?P<master>[^/?#]+)"
    r"(?:/(?P<db>[0-9]*))?(?:\?(?P<options>[^#]*))?"
)
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_OF_SENTINELS = "sentinel_"


@dataclass(frozen=True)
class SentinelUrl:
    """What such a URL says.

    Args:
        sentinels: host and port of each, in the order in which they are asked.
        master: the name that they know it by.
        options: arguments of a connection to the master; the password is among them.
        sentinel_options: arguments of a connection to a sentinel.
    """

    sentinels: tuple[tuple[str, int], ...]
    master: str
    options: Mapping[str, Any] = field(repr=False)
    sentinel_options: Mapping[str, Any] = field(repr=False)


def is_sentinel_url(location: str) -> bool:
    """Whether a Redis URL names sentinels, not a Redis."""
    return location.partition("://")[0] in SCHEMES


def parse(location: str) -> SentinelUrl:
    """Take such a URL apart.

    Raises:
        ValueError: it is none; the message holds nothing of it.
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
        raise ValueError("knows sentinel_username and sentinel_password alone for sentinels")
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    if scheme == "redis" and tls:
        raise ValueError("must begin with rediss+sentinel:// for options of TLS")
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
            raise ValueError("must name the sentinels as host:port, with commas between")
        yield host["v6"] or unquote(host["name"]), int(host["port"] or PORT)

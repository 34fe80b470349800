"""The address that a client used, which `Link` has to lead back to.

Behind a balancer it is told by `X-Forwarded-Host` and `X-Forwarded-Proto`, which count only from a
proxy that the settings name: anybody can send them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import quote, unquote

from reader.errors import BadRequest

Network = IPv4Network | IPv6Network

# RFC 3986 section 3.2.2, without what no host of the web has. Labels are as long as DNS has them:
# Flask refuses longer and empty ones before it asks us.
_LABEL = "[A-Za-z0-9_-]{1,63}"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True)
class Address:
    """What a request says about where it was sent.

    Args:
        scheme: of the connection that reached us.
        host: value of `Host`; None where there is none.
        forwarded_host: value of `X-Forwarded-Host`, if the peer is trusted.
        forwarded_proto: value of `X-Forwarded-Proto`, if the peer is trusted.
    """

    scheme: str
    host: str | None
    forwarded_host: str | None = None
    forwarded_proto: str | None = None

    @property
    def origin(self) -> str:
        """Scheme and authority.

        Raises:
            BadRequest: `Host` is no host (RFC 9112 section 3.2).
        """
        proto = _nearest(self.forwarded_proto).lower()
        scheme = proto if proto in _SCHEMES else self.scheme
        host = "localhost" if self.host is None else self.host
        if not _is_host(host):
            raise BadRequest("The Host header is not a host.")
        forwarded = _nearest(self.forwarded_host)
        return f"{scheme}://{forwarded if _is_host(forwarded) else host}"


def _is_host(text: str) -> bool:
    """Whether it names a host, with a port or without; between brackets stands an IPv6 address."""
    if not _HOST.fullmatch(text):
        return False
    try:
        return not text.startswith("[") or bool(IPv6Address(text[1:].partition("]")[0]))
    except ValueError:
        return False


def path_of(target: str) -> str:
    """The path of a target, encoded in one way, so that it can stand in a header."""
    return quote(unquote(target.partition("?")[0]), safe="/!$&'()*+,;=:@~-._")


def is_trusted(peer: str, networks: Sequence[Network]) -> bool:
    """Whether what a peer says of the client is believed.

    Args:
        peer: IP address; anything else is nobody that we know.
        networks: of the proxies.
    """
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)


def _nearest(value: str | None) -> str:
    """What the proxy next to us said, where several said something."""
    return (value or "").rpartition(",")[2].strip()

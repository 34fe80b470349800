"""The URL that a client used, which `Link` and the addresses in bodies have to lead back to.

`PUBLIC_URL` says it, if it is set. Otherwise the request does: behind a load balancer,
`X-Forwarded-Host` and `X-Forwarded-Proto` contain it. They count only if the peer is a trusted
proxy (`TRUSTED_PROXIES`), since any client can send them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import quote, unquote

from reader.errors import BadRequest

Network = IPv4Network | IPv6Network

# RFC 3986 section 3.2.2, without the forms that no host of the web has. Labels have at most the
# length that DNS allows: Flask refuses longer and empty ones before our code runs.
_LABEL = "[A-Za-z0-9_-]{1,63}"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
# Characters: a name of DNS has 253 (RFC 1035 section 2.3.4), and a final dot. Under the mount every
# URL in a body begins with it: a name of 7,000 makes 400 MB of a list of 6 MB.
_LONGEST = 254
_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True)
class Address:
    """What a request says about the address it was sent to.

    Args:
        scheme: of the connection.
        host: value of `Host`; None if absent.
        forwarded_host: value of `X-Forwarded-Host`, if the peer is trusted.
        forwarded_proto: value of `X-Forwarded-Proto`, if the peer is trusted.
        public_url: `PUBLIC_URL`; empty if it is not set.
    """

    scheme: str
    host: str | None
    forwarded_host: str | None = None
    forwarded_proto: str | None = None
    public_url: str = ""

    @property
    def origin(self) -> str:
        """Scheme and authority.

        Raises:
            BadRequest: the value of `Host` is not a host (RFC 9112 section 3.2).
        """
        proto = _nearest(self.forwarded_proto).lower()
        scheme = proto if proto in _SCHEMES else self.scheme
        host = "localhost" if self.host is None else self.host
        if not is_host(host):
            raise BadRequest("The Host header is not a host.")
        forwarded = _nearest(self.forwarded_host)
        return f"{scheme}://{forwarded if is_host(forwarded) else host}"

    @property
    def base(self) -> str:
        """What the URL of every path begins with: `PUBLIC_URL`, else scheme and authority.

        Raises:
            BadRequest: the value of `Host` is not a host, whatever `PUBLIC_URL` says.
        """
        origin = self.origin
        return self.public_url or origin

    def url_of(self, target: str) -> str:
        """The URL of a request target, without its query.

        Raises:
            BadRequest: the value of `Host` is not a host.
        """
        return self.base + path_of(target)


class Peer(NamedTuple):
    """The other end of a connection.

    Args:
        scheme: of the connection.
        is_trusted: whether it is a proxy whose `X-Forwarded-*` fields count.
        public_url: `PUBLIC_URL` of the process; empty if it is not set.
    """

    scheme: str
    is_trusted: bool = False
    public_url: str = ""

    def address(
        self, host: str | None, *, forwarded_host: str | None, forwarded_proto: str | None
    ) -> Address:
        """The address that a request over this connection was sent to.

        Args:
            host: value of the field of that name; None if absent, as for the other two.
        """
        if not self.is_trusted:
            return Address(self.scheme, host, public_url=self.public_url)
        return Address(self.scheme, host, forwarded_host, forwarded_proto, self.public_url)


def is_host(text: str) -> bool:
    """Whether it names a host, with or without a port; brackets enclose an IPv6 address."""
    if not _HOST.fullmatch(text):
        return False
    if not text.startswith("["):
        return len(text.partition(":")[0]) <= _LONGEST
    try:
        return bool(IPv6Address(text[1:].partition("]")[0]))
    except ValueError:
        return False


def path_of(target: str) -> str:
    """The path of a target in its one percent-encoded form, which is safe in a header field.

    A slash that was sent as `%2F` stays so.
    """
    parts = target.partition("?")[0].split("/")
    return "/".join(quote(unquote(part), safe="!$&'()*+,;=:@~-._") for part in parts)


def is_trusted(peer: str, networks: Sequence[Network]) -> bool:
    """Whether a peer is a trusted proxy.

    Args:
        peer: its IP address; any other text is not trusted.
        networks: of the trusted proxies.
    """
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)


def _nearest(value: str | None) -> str:
    """The last element of a list: the proxy next to us has appended it."""
    return (value or "").rpartition(",")[2].strip()

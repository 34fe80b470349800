"""The address of the client that sent a request, by which clients take turns; pure."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from reader.response.client_url import Network, is_trusted

# Whoever has one IPv6 address usually has all addresses of a network of this size (RFC 6177).
_IPV6_SITE = 64  # bits
UNKNOWN = "unknown"  # such as a peer on a Unix socket


def client_address(peer: str, forwarded_for: str | None, *, trusted: Sequence[Network]) -> str:
    """The address of the client, or of its network for IPv6.

    Each trusted proxy appends the address that it saw to `X-Forwarded-For`. So the client is the
    last address that is not a trusted proxy's; what stands before it may be made up.

    Args:
        peer: IP address of the connection.
        forwarded_for: value of `X-Forwarded-For`; None if absent.
        trusted: networks of the trusted proxies.

    Returns:
        The address; for IPv6 the /64 network. If `X-Forwarded-For` has no valid address at that
        position, that of the connection; `UNKNOWN` without either.
    """
    address = peer
    hops = [hop.strip() for hop in (forwarded_for or "").split(",") if hop.strip()]
    while hops and is_trusted(address, trusted):
        address = _without_port(hops.pop())
    return _normal(address) or _normal(peer) or UNKNOWN


def _without_port(hop: str) -> str:
    """The address in `192.0.2.1:5678` or `[2001:db8::1]:443`, as some proxies write it."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    host, colon, _ = hop.partition(":")
    return host if colon and ":" not in hop[len(host) + 1 :] else hop


def _normal(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address.packed, _IPV6_SITE), strict=False))
    return str(address)

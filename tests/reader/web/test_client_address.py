"""The address by which a client takes turns is not the client's to choose."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.web.client_address import UNKNOWN, client_address
from tests.refresher.workbench import property_test

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")]
PROXY = "10.0.0.1"

trusted_addresses = st.one_of(
    st.ip_addresses(network="10.0.0.0/8"), st.ip_addresses(network="2001:db8:ffff::/48")
).map(str)
clients = st.one_of(
    st.ip_addresses(network="192.0.2.0/24"), st.ip_addresses(network="2001:db8:1::/48")
).map(str)
header_values = st.one_of(
    st.none(), st.text(), st.lists(clients | trusted_addresses).map(", ".join)
)


@property_test
@given(clients | st.text(), header_values)
def test_what_an_untrusted_peer_sends_changes_nothing(peer: str, sent: str | None) -> None:
    plain = client_address(peer, None, trusted=PROXIES)
    assert client_address(peer, sent, trusted=PROXIES) == plain


@property_test
@given(clients, header_values, trusted_addresses, st.lists(trusted_addresses, max_size=3))
def test_what_a_client_sends_through_trusted_proxies_changes_nothing(
    client: str, sent: str | None, peer: str, between: Sequence[str]
) -> None:
    # Each proxy appends the address that it saw.
    seen = ", ".join([*([sent] if sent else []), client, *between])
    assert client_address(peer, seen, trusted=PROXIES) == client_address(client, None, trusted=[])


@property_test
@given(st.text(), header_values)
def test_every_address_is_one_or_a_network_or_unknown(peer: str, sent: str | None) -> None:
    found = client_address(peer, sent, trusted=PROXIES)
    assert found == UNKNOWN or ip_network(found)


@pytest.mark.parametrize(
    ("peer", "sent", "expected"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        (PROXY, None, PROXY),
        (PROXY, "", PROXY),
        (PROXY, "192.0.2.1", "192.0.2.1"),
        (PROXY, " 192.0.2.1 ,10.0.0.2,, 10.0.0.3", "192.0.2.1"),
        (PROXY, "198.51.100.7, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        # A request that a trusted proxy itself makes.
        (PROXY, "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        # What no proxy writes: the nearest address that is known.
        (PROXY, "nonsense", PROXY),
        (PROXY, "192.0.2.1, nonsense", PROXY),
        ("2001:db8:ffff::1", "192.0.2.1", "192.0.2.1"),
        ("::ffff:10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("", None, UNKNOWN),
        ("", "192.0.2.1", UNKNOWN),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(
    peer: str, sent: str | None, expected: str
) -> None:
    assert client_address(peer, sent, trusted=PROXIES) == expected


def test_without_trusted_proxies_the_client_is_the_peer() -> None:
    assert client_address(PROXY, "192.0.2.1", trusted=[]) == PROXY


@property_test
@given(st.ip_addresses(v=6, network="2001:db8:1:2::/64"))
def test_all_addresses_of_an_ipv6_network_are_one_client(address: IPv6Address) -> None:
    expected = "2001:db8:1:2::/64"
    assert client_address(str(address), None, trusted=PROXIES) == expected
    assert client_address(PROXY, f"[{address}]", trusted=PROXIES) == expected
    assert client_address(PROXY, str(address), trusted=PROXIES) == expected


def test_neighbouring_ipv6_networks_are_two_clients() -> None:
    found = {
        client_address(f"2001:db8:1:{number}::1", None, trusted=PROXIES) for number in range(3)
    }
    assert found == {"2001:db8:1::/64", "2001:db8:1:1::/64", "2001:db8:1:2::/64"}


@property_test
@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_client_when_it_is_mapped_to_ipv6(address: IPv4Address) -> None:
    mapped = client_address(f"::ffff:{address}", None, trusted=[])
    assert mapped == client_address(str(address), None, trusted=[]) == str(address)

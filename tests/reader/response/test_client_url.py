import re
from ipaddress import IPv4Address, IPv6Address, ip_network
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.errors import BadRequest
from reader.response.client_url import Address, Peer, is_trusted, path_of
from reader.response.paging import page
from reader.response.response import RequestFields, to_response
from shared.outcomes import Served
from tests.builders import NOW, make_list_entry

HOSTS = [
    "cache.test",
    "cache.test:8443",
    "CACHE.test",
    "localhost:1",
    "10.0.0.1",
    "10.0.0.1:65535",
    "[::1]",
    "[2001:DB8::1]:5000",
    "[::ffff:10.0.0.1]",
    "a_b-c.test.",
    "a" * 63 + ".test",
    f"{'a.' * 126}a.:65535",
]
# Whoever could send one of these on in `Link` could write there what he likes.
NO_HOSTS = [
    "",
    " ",
    "a b",
    "a,b",
    "a.test/path",
    "a.test?query",
    "a.test#fragment",
    "user@a.test",
    "user:pass@a.test:80",
    "http://a.test",
    "//a.test",
    "a.test\\b",
    'a.test"',
    "a.test>",
    "<a.test",
    'a.test/>; rel="next", <http://evil.test',
    "a.test;x",
    "a.test%0d%0a",
    "a.test\r\nSet-Cookie: a=b",
    "a.test\n",
    "\ra.test",
    "a.test\x00",
    "a.test\t",
    "\x1fa.test",
    "a.test\x85",
    "ä.test",
    "\u0430.test",
    "a.test:\u0662",
    "a.test:x",
    "a.test:-1",
    "a.test:123456",
    "a.test:1:2",
    "::1",
    "[::1",
    "[:2]",
    "[1.2.3.4]",
    "[1::2::3]:80",
    "::1]",
    "[]",
    "[::1]x",
    "[g::1]",
    "[::1%25eth0]",
    ".",
    ".a.test",
    "a..test",
    "a.test..",
    "a" * 64 + ".test",
    # Longer than any name. A body under the mount has an address in each of its URLs.
    f"{'a.' * 127}a",
    f"{'a.' * 127}a:80",
]

hosts = st.sampled_from(HOSTS)
no_hosts = st.sampled_from(NO_HOSTS)
anything = st.text() | st.text(st.characters(max_codepoint=255)) | no_hosts | hosts
schemes = st.sampled_from(["http", "https"])
v4 = st.ip_addresses(v=4)
v6 = st.ip_addresses(v=6)

ORIGIN = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+")


def origin(host: str | None, forwarded_host: str | None = None, **known: str) -> str:
    return Address("http", host, forwarded_host, **known).origin


class TestWithoutAProxy:
    """What `Host` says."""

    @given(hosts, schemes)
    def test_the_origin_is_the_scheme_and_the_host_as_sent(self, host: str, scheme: str) -> None:
        assert Address(scheme, host).origin == f"{scheme}://{host}"

    @pytest.mark.parametrize("host", NO_HOSTS)
    def test_a_host_that_is_none_is_a_bad_request(self, host: str) -> None:
        # Without it: what is refused is not sent back.
        with pytest.raises(BadRequest, match=r"^The Host header is not a host\.$"):
            origin(host)

    def test_a_client_of_http_1_0_need_not_name_one(self) -> None:
        assert origin(None) == "http://localhost"


class TestWithAPublicUrl:
    """What `PUBLIC_URL` says, whatever a request says."""

    PUBLIC = "https://cache.example.com/github"

    @given(hosts, schemes, hosts, schemes)
    def test_every_url_begins_with_it(
        self, host: str, scheme: str, forwarded: str, proto: str
    ) -> None:
        for trusted in (False, True):
            address = Peer(scheme, trusted, self.PUBLIC).address(
                host, forwarded_host=forwarded, forwarded_proto=proto
            )
            assert address.base == self.PUBLIC
            assert address.url_of("/users?page=2") == f"{self.PUBLIC}/users"
            assert address.origin != self.PUBLIC

    @pytest.mark.parametrize("host", NO_HOSTS)
    def test_a_host_that_is_none_is_a_bad_request_nevertheless(self, host: str) -> None:
        with pytest.raises(BadRequest):
            _ = Address("http", host, public_url=self.PUBLIC).base


class TestBehindAProxy:
    """What a trusted proxy says, where it says it."""

    @given(hosts, hosts, schemes, schemes)
    def test_the_origin_is_what_the_proxy_was_asked_for(
        self, host: str, forwarded: str, scheme: str, proto: str
    ) -> None:
        assert Address(scheme, host, forwarded, proto).origin == f"{proto}://{forwarded}"

    @given(hosts, schemes, hosts, schemes)
    def test_what_it_does_not_say_is_as_it_reached_us(
        self, host: str, scheme: str, forwarded: str, proto: str
    ) -> None:
        assert Address(scheme, host, None, proto).origin == f"{proto}://{host}"
        assert Address(scheme, host, forwarded, None).origin == f"{scheme}://{forwarded}"

    @given(hosts, st.lists(anything.filter(lambda text: "," not in text), max_size=3), hosts)
    def test_of_several_the_nearest_is_believed(
        self, host: str, others: list[str], nearest: str
    ) -> None:
        # A client writes what it likes before what the proxy adds.
        assert origin(host, ",".join([*others, nearest])) == f"http://{nearest}"
        assert origin(host, ", ".join([*others, f"{nearest} "])) == f"http://{nearest}"

    @pytest.mark.parametrize(
        ("proto", "scheme"),
        [
            ("https", "https"),
            ("HTTPS", "https"),
            (" https ", "https"),
            ("http, https", "https"),
            ("https,http", "http"),
            ("ftp", "http"),
            ("https:", "http"),
            ("https://evil.test/", "http"),
            ("javascript", "http"),
            ("https,", "http"),
            ("", "http"),
            ("\r\n", "http"),
            ("https\r\nX: y", "http"),
        ],
    )
    def test_a_scheme_that_is_none_of_the_web_counts_for_nothing(
        self, proto: str, scheme: str
    ) -> None:
        assert origin("a.test", forwarded_proto=proto) == f"{scheme}://a.test"

    @pytest.mark.parametrize("forwarded", [*NO_HOSTS, "good.test,", "good.test, bad/"])
    def test_a_forwarded_host_that_is_none_counts_for_nothing(self, forwarded: str) -> None:
        nearest = forwarded.rpartition(",")[2].strip()  # white space around it is no part of it
        expected = nearest if nearest in {"a.test", "b"} else "reader.test"
        assert origin("reader.test", forwarded) == f"http://{expected}"

    @given(hosts, no_hosts)
    def test_a_good_forwarded_host_does_not_make_up_for_a_bad_one(
        self, forwarded: str, host: str
    ) -> None:
        with pytest.raises(BadRequest):
            origin(host, forwarded)


@given(schemes, st.none() | anything, st.none() | anything, st.none() | anything)
def test_an_origin_is_a_scheme_and_a_host_and_never_more(
    scheme: str, host: str | None, forwarded_host: str | None, forwarded_proto: str | None
) -> None:
    try:
        made = Address(scheme, host, forwarded_host, forwarded_proto).origin
    except BadRequest:
        return
    assert ORIGIN.fullmatch(made)
    parts = urlsplit(made)
    assert parts.scheme in {"http", "https"}
    assert (parts.path, parts.query, parts.fragment, parts.username) == ("", "", "", None)


@given(st.text() | st.text(st.characters(max_codepoint=255)), anything, anything)
def test_nothing_that_a_request_says_ends_a_links_target(
    rest: str, host: str, forwarded: str
) -> None:
    try:
        url = origin(host, forwarded) + path_of(f"/users/{rest}")
    except (BadRequest, UnicodeEncodeError):
        return
    conditions = RequestFields(url)
    cut = page(make_list_entry(50), "page=1")
    link = to_response(cut, conditions, served=Served.LOCAL, now=NOW).headers["Link"]
    target = r"<https?://[A-Za-z0-9._:\[\]-]+/users/[A-Za-z0-9!$&'()*+,;=:@~._/%-]*\?[a-z_=&0-9]+>"
    assert re.fullmatch(rf'{target}; rel="next", {target}; rel="last"', link)


@pytest.mark.parametrize(
    ("peer", "url"),
    [
        (Peer("http", is_trusted=True), "https://b.test/users/a%20b"),
        (Peer("http"), "http://a.test/users/a%20b"),
        (Peer("https"), "https://a.test/users/a%20b"),
    ],
)
def test_only_a_trusted_proxy_says_where_links_lead(peer: Peer, url: str) -> None:
    address = peer.address("a.test", forwarded_host="b.test", forwarded_proto="https")
    assert address.url_of("/users/a b?page=2") == url


class TestThePath:
    """As it stands in `Link`."""

    @pytest.mark.parametrize(
        ("target", "path"),
        [
            ("/", "/"),
            ("/orgs/Netflix/repos?page=2&per_page=5", "/orgs/Netflix/repos"),
            ("/ORGS/%4eetflix", "/ORGS/Netflix"),
            ("/users/a%20b?c?d", "/users/a%20b"),
            ("/users/a b", "/users/a%20b"),
            ("/users/a%3Fb%23", "/users/a%3Fb%23"),
            ("/users/100%25", "/users/100%25"),
            ("/users/%E4%BD%A0", "/users/%E4%BD%A0"),
            ("/users/x!$&'()*+,;=:@~-._", "/users/x!$&'()*+,;=:@~-._"),
            ("/users/%0D%0ASet-Cookie:%20a=b", "/users/%0D%0ASet-Cookie:%20a=b"),
            ("/users/\r\nSet-Cookie: a=b", "/users/%0D%0ASet-Cookie:%20a=b"),
            ("/users/\">; rel='x'", "/users/%22%3E;%20rel='x'"),
            ("/users/%22%3e%3c", "/users/%22%3E%3C"),
            ("/users/a\\b", "/users/a%5Cb"),
        ],
    )
    def test_is_encoded_in_one_way(self, target: str, path: str) -> None:
        assert path_of(target) == path

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_is_the_same_when_it_is_made_again(self, target: str) -> None:
        assert path_of(path_of(target)) == path_of(target)

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_is_the_path_that_was_asked_for(self, target: str) -> None:
        assert unquote(path_of(target)) == unquote(target.partition("?")[0])

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_holds_nothing_but_what_a_uri_may_hold(self, target: str) -> None:
        assert re.fullmatch(r"(?:[A-Za-z0-9!$&'()*+,;=:@~._/-]|%[0-9A-F]{2})*", path_of(target))


class TestTrust:
    """Only the proxies that the settings name are believed."""

    @pytest.mark.parametrize(
        ("peer", "trusted"),
        [
            ("10.0.0.1", True),
            ("10.255.255.255", True),
            ("11.0.0.1", False),
            ("192.0.2.7", True),
            ("192.0.2.8", False),
            ("::ffff:10.0.0.1", True),
            ("::FFFF:a00:1", True),
            ("::ffff:11.0.0.1", False),
            ("::10.0.0.1", False),  # not how IPv4 is mapped
            ("2001:db8::1", True),
            ("2001:DB8:0:0::1", True),
            ("2001:db9::1", False),
            ("fe80::1%eth0", True),
            ("::1", False),
            ("127.0.0.1", False),
            ("", False),
            ("localhost", False),
            ("unix:", False),
            ("10.0.0.1:5000", False),
            ("[2001:db8::1]", False),
            ("10.0.0.1, 11.0.0.1", False),
            ("010.0.0.1", False),
            ("10.1", False),
            ("10.0.0.1/8", False),
            ("\u0661\u0660.0.0.1", False),
        ],
    )
    def test_a_peer_is_believed_by_its_address(self, peer: str, trusted: bool) -> None:
        named = ("10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "fe80::/10")
        assert is_trusted(peer, [ip_network(one) for one in named]) is trusted

    @given(st.text() | v4.map(str) | v6.map(str))
    def test_where_no_proxy_is_named_nobody_is_believed(self, peer: str) -> None:
        assert not is_trusted(peer, ())

    @given(v4, v4, st.integers(0, 32))
    def test_of_an_ipv4_network_those_with_its_first_bits_are(
        self, peer: IPv4Address, named: IPv4Address, bits: int
    ) -> None:
        network = ip_network(f"{named}/{bits}", strict=False)
        expected = int(peer) >> (32 - bits) == int(named) >> (32 - bits)
        assert is_trusted(str(peer), [network]) is expected
        # The same peer, as a socket that takes IPv6 and IPv4 names it.
        mapped = IPv6Address((0xFFFF << 32) + int(peer))
        assert is_trusted(str(mapped), [network]) is expected
        assert is_trusted(f"::ffff:{peer}", [network]) is expected

    @given(v6, v6, st.integers(0, 128))
    def test_of_an_ipv6_network_those_with_its_first_bits_are(
        self, peer: IPv6Address, named: IPv6Address, bits: int
    ) -> None:
        network = ip_network(f"{named}/{bits}", strict=False)
        expected = int(peer) >> (128 - bits) == int(named) >> (128 - bits)
        assert is_trusted(str(peer), [network]) is (expected and peer.ipv4_mapped is None)

    @given(v4, v6)
    def test_the_networks_of_one_family_say_nothing_of_the_other(
        self, four: IPv4Address, six: IPv6Address
    ) -> None:
        assert not is_trusted(str(four), [ip_network("::/0")])
        assert not is_trusted(f"::ffff:{four}", [ip_network("::/0")])
        assert is_trusted(str(six), [ip_network("0.0.0.0/0")]) is (six.ipv4_mapped is not None)

    @given(v4 | v6, st.lists(st.sampled_from(["10.0.0.0/8", "2001:db8::/32"])))
    def test_one_network_of_several_is_enough(
        self, named: IPv4Address | IPv6Address, others: list[str]
    ) -> None:
        networks = [ip_network(one) for one in others]
        plain = getattr(named, "ipv4_mapped", None) or named
        assert is_trusted(str(named), [*networks, ip_network(plain), *networks])

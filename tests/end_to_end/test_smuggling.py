"""No bytes make a reader, or a reader behind HAProxy, give a client another client's answer.

After J. Kettle, HTTP Desync Attacks (2019) and Browser-Powered Desync Attacks (2022), and RFC 9112
sections 6.3, 7.1 and 11.2. What an attacker would have answered to somebody else is `PREY`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from scripts.debian import find
from tests.end_to_end.balancer import haproxy
from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection, ConnectionClosed, Response, exchange

# `http-reuse always`: clients share connections to the reader, which is where smuggling bites.
CONFIGURATION = """
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout http-request 10s
  timeout server 30s
frontend clients
  bind 127.0.0.1:{port}
  default_backend readers
backend readers
  http-reuse always
{servers}
"""
PREY = b"/view/top/1/stars"
_PREY = b"GET " + PREY + b" HTTP/1.1\r\nHost: cache.test\r\n\r\n"
_POST = b"POST /orgs/Netflix HTTP/1.1\r\nHost: cache.test\r\n"
_GET = b"GET /orgs/Netflix HTTP/1.1\r\nHost: cache.test\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_SIZE = b"Content-Length: %d\r\n" % len(_PREY)
_NONE = b"0\r\n\r\n"


class Attack(NamedTuple):
    """What is sent, and the statuses that a reader answers.

    What is within a body has no answer; what is malformed has a 400, and the connection ends.
    """

    data: bytes
    statuses: tuple[int, ...] = (400,)


def te(value: bytes) -> bytes:
    """A body in chunks that says so in some odd way."""
    return _POST + b"Transfer-Encoding:" + value + b"\r\n" + _SIZE + b"\r\n" + _NONE + _PREY


ATTACKS: dict[str, Attack] = {
    "CL.TE": Attack(
        _POST + b"Content-Length: %d\r\n" % (5 + len(_PREY)) + _CHUNKED + b"\r\n" + _NONE + _PREY
    ),
    "TE.CL": Attack(
        _POST + _CHUNKED + b"Content-Length: 4\r\n\r\n%x\r\n" % len(_PREY) + _PREY + b"\r\n" + _NONE
    ),
    "TE.TE": Attack(_POST + _CHUNKED + b"Transfer-Encoding: x\r\n\r\n" + _NONE + _PREY, (501,)),
    "TE.TE, the other way": Attack(
        _POST + b"Transfer-Encoding: x\r\n" + _CHUNKED + b"\r\n" + _NONE + _PREY, (501,)
    ),
    "TE: identity": Attack(te(b" identity")),
    "TE: xchunked": Attack(te(b" xchunked"), (501,)),
    "TE: tab": Attack(te(b"\tchunked")),
    "TE: vertical tab": Attack(te(b"\x0bchunked")),
    "TE: in quotes": Attack(te(b' "chunked"'), (501,)),
    "TE: upper case": Attack(te(b" CHUNKED")),
    "TE: chunked twice": Attack(te(b" chunked, chunked")),
    "TE: chunked and not last": Attack(te(b" chunked, identity")),
    "TE: folded": Attack(te(b"\r\n chunked")),
    "TE: empty": Attack(te(b""), (501,)),
    "TE: bare CR": Attack(_POST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n" + _NONE + _PREY),
    "TE: bare LF": Attack(_POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n" + _NONE + _PREY),
    "TE: space before the colon": Attack(
        _POST + b"Transfer-Encoding : chunked\r\n\r\n" + _NONE + _PREY
    ),
    "TE: NUL": Attack(_POST + b"Transfer-Encoding: chunked\0\r\n\r\n" + _NONE + _PREY),
    "TE: name with _": Attack(
        _POST + b"Transfer_Encoding: chunked\r\n" + _SIZE + b"\r\n" + _PREY, (405,)
    ),
    "TE: in HTTP/1.0": Attack(_POST.replace(b"1.1", b"1.0") + _CHUNKED + b"\r\n" + _NONE + _PREY),
    "CL.0": Attack(_GET + _SIZE + b"\r\n" + _PREY, (200,)),
    "CL.0, in HEAD": Attack(_GET.replace(b"GET", b"OPTIONS") + _SIZE + b"\r\n" + _PREY, (204,)),
    "CL: two that differ": Attack(_POST + b"Content-Length: 0\r\n" + _SIZE + b"\r\n" + _PREY),
    "CL: two that are the same": Attack(_POST + _SIZE + _SIZE + b"\r\n" + _PREY),
    "CL: a list": Attack(_POST + b"Content-Length: 0, %d\r\n\r\n" % len(_PREY) + _PREY),
    "CL: signed": Attack(_POST + b"Content-Length: +0\r\n\r\n" + _PREY),
    "CL: hexadecimal": Attack(_POST + b"Content-Length: 0x0\r\n\r\n" + _PREY),
    "CL: with a space in it": Attack(_POST + b"Content-Length: 0 0\r\n\r\n" + _PREY),
    "CL: with _": Attack(_POST + b"Content-Length: 1_0\r\n\r\n" + _PREY),
    "CL: of 40 digits": Attack(
        _POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n" + _PREY, (405,)
    ),
    "CL: no digits": Attack(_POST + b"Content-Length: \r\n\r\n" + _PREY),
    "chunk: a size with a sign": Attack(_POST + _CHUNKED + b"\r\n-1\r\n" + _PREY),
    "chunk: 0x": Attack(_POST + _CHUNKED + b"\r\n0x0\r\n\r\n" + _PREY),
    "chunk: a size beyond 64 bits": Attack(
        _POST + _CHUNKED + b"\r\n1" + b"0" * 20 + b"\r\n" + _PREY, (405,)
    ),
    "chunk: no size": Attack(_POST + _CHUNKED + b"\r\n\r\n" + _PREY),
    "chunk: bare LF": Attack(_POST + _CHUNKED + b"\r\n1\na\r\n0\r\n\r\n" + _PREY),
    "chunk: bare LF in an extension": Attack(
        _POST + _CHUNKED + b"\r\n1;a\nb\r\na\r\n0\r\n\r\n" + _PREY
    ),
    "chunk: longer than it says": Attack(_POST + _CHUNKED + b"\r\n1\r\nabc\r\n0\r\n\r\n" + _PREY),
    "chunk: an odd trailer": Attack(
        _POST + _CHUNKED + b"\r\n0\r\nContent-Length: 9\r\nX : y\r\n\r\n" + _PREY
    ),
    "a fold in front": Attack(_GET[:-2] + b"\r\n X: y\r\n\r\n" + _PREY),
    "a space in front of the first field": Attack(
        b"GET /orgs/Netflix HTTP/1.1\r\n Host: cache.test\r\n\r\n" + _PREY
    ),
    "a request in a field": Attack(_GET + b"X: y\r\n\n" + _PREY),
    "a request in a target": Attack(b"GET /a HTTP/1.1\r\n" + _PREY),
    "two spaces": Attack(_GET.replace(b" /", b"  /") + b"\r\n" + _PREY),
    "HTTP/0.9": Attack(b"GET /orgs/Netflix\r\n\r\n" + _PREY),
    "HTTP/2's preface": Attack(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _PREY),
    "Expect": Attack(_POST + b"Expect: x\r\n" + _SIZE + b"\r\n" + _PREY, (405,)),
    "Upgrade: h2c": Attack(
        _GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
        (200,),
    ),
    "CONNECT": Attack(
        b"CONNECT cache.test:80 HTTP/1.1\r\nHost: cache.test:80\r\n\r\n" + _PREY, (405,)
    ),
}
# Who asks for what nobody is to be sent: each has an answer of its own.
VICTIMS = [
    *("/orgs/Netflix", "/users/victim-1", "/orgs/Netflix/repos?per_page=3", "/livez"),
    *("/api/v3/orgs/Netflix", "/api/v3/users/victim-1", "/api/v3/orgs/Netflix/repos?per_page=3"),
]


class Setting(NamedTuple):
    github: FakeGitHubProcess
    reader: str
    balancer: str | None


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("fleet")
    with (
        FakeGitHubProcess(anonymous_limit=1_000_000) as github,
        Fleet(folder, github.url, ON_DEMAND_TTL=1000) as fleet,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        if find("haproxy") is None:
            yield Setting(github, reader.url, None)
            return
        with haproxy(folder, [reader], configuration=CONFIGURATION) as url:
            yield Setting(github, reader.url, url)


@pytest.mark.parametrize("way", ["reader", "balancer"])
def test_nobody_gets_what_was_smuggled(
    setting: Setting, way: str, subtests: pytest.Subtests
) -> None:
    url = getattr(setting, way)
    if url is None:
        pytest.skip("NO BALANCER IS TESTED HERE: HAProxy is not installed; Debian has it")
    with Connection(url) as connection:
        own = {target: connection.ask(target) for target in VICTIMS}
    for name, attack in ATTACKS.items():
        with subtests.test(name), Connection(url) as victim:
            assert victim.ask(VICTIMS[0]).body == own[VICTIMS[0]].body
            statuses = tuple(answer.status for answer in _exchange(url, attack.data))
            for target in VICTIMS * 2:
                answer = victim.ask(target)
                assert (answer.status, answer.body) == (own[target].status, own[target].body)
            with Connection(url) as another:
                for target in VICTIMS:
                    assert another.ask(target).body == own[target].body
            if way == "reader":
                assert statuses == attack.statuses
            else:  # HAProxy mends some of them, as one request or as two: all the attacker's own
                assert len(statuses) <= 2
                assert set(statuses) <= {200, 204, 400, 405, 422, 501}


def _exchange(url: str, data: bytes) -> list[Response]:
    try:
        return exchange(url, data, silence=0.2)
    except ConnectionClosed as end:
        if not end.args[0].startswith(b"\0\0"):  # as a frame of HTTP/2, which HAProxy speaks
            raise
        return []


TARGETS = {
    "//orgs/Netflix": 404,
    "/./orgs/Netflix": 404,
    "/orgs/./Netflix": 404,
    "/users/../orgs/Netflix": 404,
    "/users/%2e%2e/orgs/Netflix": 404,
    "/users/%2E./Netflix": 404,
    "/repos/a/b/contents/../../../../user": 404,
    "/repos/a/b/contents/%2e%2e%2f%2e%2e%2fuser": 404,
    "/repos/a/b/contents/..%2f..%2f..%2fuser": 404,
    "/repos/a/b/contents/x%2f%2fy": 404,
    "/repos/a/b/contents/x%2f": 404,
    "/repos/a%2fb": 404,
    "/repos/a%2fb/collaborators": 404,
    "/repos/a/b%2fcollaborators": 404,
    "/repos/a/b/branches/main%2fprotection": 403,
    "/repos/a/b/branches/main%2Fprotection%2Frestrictions": 403,
    "/repositories/1%2f2": 404,
    "/repositories/1/collaborators": 403,
    "/organizations/1%2frepos": 404,
    "/organizations/1/hooks": 403,
    "/user/1%2frepos": 404,
    "/orgs%2fNetflix": 404,
    "/orgs/Netflix%2Frepos": 404,
    "/users/a%5c..%5cb": 404,
    "/users/a\\..\\b": 404,
    "/users/%00": 404,
    "/users/%0d%0aX-Evil:%20y": 404,
    "/users/%7f": 404,
    "/users/%ff": 404,
    "/users/%C0%AE%C0%AE": 404,
    "/orgs/Netflix/": 404,
    "/user": 401,
    "/%75ser": 401,
    "/graphql": 403,
    "/users/" + "a" * 1100: 414,
    "/users/" + "a" * 4200: 414,
    "/users/a?" + "b" * 1100: 414,
    "/users/a?access_token=x": 403,
    "/users/a?%61ccess_token=x": 403,
    "*": 400,
    "cache.test:80": 400,
    "http://cache.test/user": 401,
    "http://api.github.test/orgs/Netflix": 200,
    "HTTPS://u:p@api.github.test/orgs/Netflix": 200,
    "http://cache.test//orgs/Netflix": 404,
    "http:///orgs/Netflix": 404,
    "ftp://cache.test/orgs/Netflix": 404,
    "/http://cache.test/orgs/Netflix": 404,
    "/api/v3/orgs/Netflix": 200,
    "http://api.github.test/api/v3/orgs/Netflix": 200,
    "/api/v3": 200,
    "/api/v3?": 200,
    "/api/v3//orgs/Netflix": 404,
    "//api/v3/orgs/Netflix": 404,
    "/api//v3/orgs/Netflix": 404,
    "/api/./v3/orgs/Netflix": 404,
    "/api/v3/./orgs/Netflix": 404,
    "/api/v3/../orgs/Netflix": 404,
    "/api/v3/../../orgs/Netflix": 404,
    "/orgs/../api/v3/orgs/Netflix": 404,
    "/api/v3/%2e%2e/%2e%2e/orgs/Netflix": 404,
    "/api/v3/api/v3/orgs/Netflix": 404,
    "/api/v3/http://cache.test/orgs/Netflix": 404,
    "/api/v3x/orgs/Netflix": 404,
    "/API/v3/orgs/Netflix": 404,
    "/%61pi/v3/orgs/Netflix": 404,
    "/api%2Fv3/orgs/Netflix": 404,
    "/api/v3%2Forgs/Netflix": 404,
    "/api/v3%2F": 404,
    "/api/v3%3F": 404,
    "/api/v3#": 400,
    "/api/v3;/orgs/Netflix": 404,
    "/api/v3/users/%00": 404,
    "/api/v3/users/%0d%0aX-Evil:%20y": 404,
    "/api/v3/user": 401,
    "/api/v3/graphql": 403,
    "/api/graphql": 403,
    "/api/v3/users/" + "a" * 1100: 414,
    "/api/v3/users/a?access_token=x": 403,
}


def test_no_target_gets_further_than_it_says(setting: Setting, subtests: pytest.Subtests) -> None:
    asked = setting.github.counters()["total"]
    for target, status in TARGETS.items():
        with subtests.test(target[:40]), Connection(setting.reader) as connection:
            answer = connection.ask(target)
            assert answer.status == status
            assert not [name for name in answer.headers if "evil" in name]
    assert setting.github.counters()["total"] == asked

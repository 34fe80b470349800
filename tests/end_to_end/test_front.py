"""The front and what stands behind it are one server: every request gets its answer, in order."""

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import pytest

from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.up_to_date import lasts
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection, Response, exchange, request
from tests.waiting import eventually

HIT = "/orgs/Netflix"
REPOS = "/orgs/Netflix/repos"
OF_A_MOMENT = {
    *("date", "age", "x-request-id", "x-github-request-id"),
    *(f"x-ratelimit-{name}" for name in ("limit", "remaining", "used", "reset")),
}
LINE = b"GET /orgs/Netflix HTTP/1.1\r\n"
HOST = b"Host: cache.test\r\n"


class Setting(NamedTuple):
    """What the tests of this module share.

    Args:
        github: the stand-in.
        front: a reader as the Procfile starts it.
        flask: the Flask application alone, over the same Redis.
    """

    github: FakeGitHubProcess
    front: Reader
    flask: Reader


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """One fleet for all: what one test does to a reader must not show in the next."""
    with (
        FakeGitHubProcess(anonymous_limit=1_000_000) as github,
        Fleet(tmp_path_factory.mktemp("fleet"), github.url, ON_DEMAND_TTL=1000) as fleet,
    ):
        fleet.worker()
        front = fleet.healthy_reader()
        flask = fleet.flask_reader()
        eventually(flask.is_healthy)
        for reader in (front, flask):
            eventually(partial(_lasts, reader, REPOS))
        yield Setting(github, front, flask)


@pytest.fixture
def front(setting: Setting) -> Iterator[Reader]:
    """The reader, which has to be well after each test, too."""
    yield setting.front
    with Connection(setting.front.url) as other:
        assert other.ask(HIT).status == 200
        assert other.ask("/healthcheck").status == 200


def _object(answer: Response) -> dict[str, object]:
    value = json.loads(answer.body)
    assert isinstance(value, dict)
    return value


class TestOneConnection:
    """Answers requests of all kinds, one after the other."""

    def test_comes_back_to_the_front_after_what_was_handed_over(self, front: Reader) -> None:
        with Connection(front.url) as connection:
            for number in range(3):
                hit = connection.ask(HIT)
                assert (hit.status, _object(hit)["login"]) == (200, "Netflix")
                missed = connection.ask(f"/users/Netflix?turn={number}")
                assert (missed.status, _object(missed)["login"]) == (200, "Netflix")
                assert "fwd=uri-miss" in missed.headers["cache-status"]
                assert connection.ask("/user").status == 401
                assert connection.ask(REPOS, method="POST", Content_Length="0").status == 405
                preflight = connection.ask(REPOS, method="OPTIONS")
                assert preflight.status == 204
                assert preflight.headers["allow"] == "GET, HEAD, OPTIONS"
                again = connection.ask(HIT)
                assert (again.status, again.body) == (200, hit.body)
                assert connection.ask(HIT, method="HEAD").headers["etag"] == hit.headers["etag"]

    def test_takes_a_body_that_nobody_reads_for_what_it_is(self, front: Reader) -> None:
        with Connection(front.url) as connection:
            inside = request("/orgs/Netflix/members")
            asked = request(HIT, Content_Length=str(len(inside)))
            connection.send(asked + inside + request("/view/top/1/stars"))
            assert _object(connection.receive())["login"] == "Netflix"
            assert len(json.loads(connection.receive().body)) == 1

    def test_answers_fifty_pipelined_requests_in_order(self, front: Reader) -> None:
        tag = front.get(REPOS, headers={"Accept-Encoding": "identity"}).headers["ETag"]
        asked: list[tuple[str, str, dict[str, str]]] = [
            ("GET", HIT, {}),
            ("GET", f"{REPOS}?per_page=7&page=3", {}),
            ("HEAD", REPOS, {}),
            ("GET", "/orgs/Netflix/hooks", {}),
            ("GET", "/view/top/3/forks", {}),
            ("GET", REPOS, {"If-None-Match": tag}),
            ("GET", REPOS, {"Accept-Encoding": "gzip"}),
            ("OPTIONS", HIT, {}),
            ("GET", "/view/bottom/2/last_updated", {}),
            ("GET", "/view/top/0/stars", {}),
        ] * 5
        with Connection(front.url) as one, Connection(front.url) as many:
            alone = [one.ask(target, method=method, **f) for method, target, f in asked]
            many.send(b"".join(request(target, method=method, **f) for method, target, f in asked))
            together = [many.receive(method=method) for method, _, _ in asked]
            assert many.ask(HIT).status == 200
        assert [(a.status, a.headers.get("etag"), a.body) for a in together] == [
            (a.status, a.headers.get("etag"), a.body) for a in alone
        ]
        assert {answer.status for answer in together} == {200, 204, 304, 400, 403}

    @pytest.mark.parametrize("first", [HIT, "/user"], ids=["answered here", "handed over"])
    def test_waits_for_the_rest_of_a_request_that_came_with_the_one_before(
        self, front: Reader, first: str
    ) -> None:
        with Connection(front.url) as connection:
            second = request("/view/top/1/stars")
            for cut in (1, 10, len(second) - 2):
                connection.send(request(first) + second[:cut])
                assert connection.receive().status in {200, 401}
                connection.send(second[cut:])
                assert len(json.loads(connection.receive().body)) == 1

    @pytest.mark.parametrize("target", [HIT, "/user", f"{REPOS}?page=2"])
    def test_reads_a_request_that_comes_byte_by_byte(self, front: Reader, target: str) -> None:
        with Connection(front.url) as connection:
            expected = connection.ask(target)
            for byte in request(target):
                connection.send(bytes([byte]))
            answer = connection.receive()
            assert (answer.status, answer.body) == (expected.status, expected.body)

    @pytest.mark.parametrize("path", ["/status/assets/status.css", "/operations", HIT, "/user"])
    def test_says_each_field_once(self, front: Reader, path: str) -> None:
        with Connection(front.url) as connection:  # it takes no field twice
            assert "date" in connection.ask(path).headers

    @pytest.mark.parametrize("target", [HIT, REPOS, f"{REPOS}?page=2", "/user", "/healthcheck"])
    def test_says_to_head_what_it_says_to_get_without_the_body(
        self, front: Reader, target: str
    ) -> None:
        with Connection(front.url) as connection:
            got = connection.ask(target)
            headed = connection.ask(target, method="HEAD")
            assert connection.ask(HIT).status == 200
        ignored = {"cache-status", *OF_A_MOMENT}
        assert headed.status == got.status
        assert headed.headers["content-length"] == str(len(got.body))
        assert {n: v for n, v in headed.headers.items() if n not in ignored} == {
            n: v for n, v in got.headers.items() if n not in ignored
        }

    @pytest.mark.parametrize("target", [HIT, REPOS, "/user", "/livez"])
    def test_ends_when_the_client_says_so(self, front: Reader, target: str) -> None:
        with Connection(front.url) as connection:
            answer = connection.ask(target, Connection="close")
            assert answer.headers["connection"] == "close"
            assert connection.is_closed()

    @pytest.mark.parametrize("target", [HIT, "/nothing"])
    def test_speaks_http_1_0(self, front: Reader, target: str) -> None:
        with Connection(front.url) as connection:
            expected = connection.ask(target)
        with Connection(front.url) as connection:
            connection.send(b"GET %s HTTP/1.0\r\n\r\n" % target.encode())
            answer = connection.receive()
            assert (answer.status, answer.body) == (expected.status, expected.body)
            assert connection.is_closed()


# What gunicorn's parser, which is strict, has to refuse; the front must not be laxer.
MALFORMED = {
    "bare LF": b"GET /orgs/Netflix HTTP/1.1\nHost: cache.test\n\n",
    "a bare LF among others": LINE + b"Host: cache.test\nA: b\r\n\r\n",
    "a bare CR": LINE + b"Host: cache.test\rA: b\r\n\r\n",
    "obs-fold": LINE + HOST + b"A: b\r\n c\r\n\r\n",
    "two spaces before the target": b"GET  /orgs/Netflix HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces behind the target": b"GET /orgs/Netflix  HTTP/1.1\r\n" + HOST + b"\r\n",
    "tabs": b"GET\t/orgs/Netflix\tHTTP/1.1\r\n" + HOST + b"\r\n",
    "a space behind the version": b"GET /orgs/Netflix HTTP/1.1 \r\n" + HOST + b"\r\n",
    "NUL": LINE + HOST + b"A: b\0c\r\n\r\n",
    "a control character": LINE + HOST + b"A: b\x01c\r\n\r\n",
    "DEL": LINE + HOST + b"A: b\x7fc\r\n\r\n",
    "a control character in the target": b"GET /orgs/\x01 HTTP/1.1\r\n" + HOST + b"\r\n",
    "two Hosts": LINE + HOST + HOST + b"\r\n",
    "no Host": LINE + b"\r\n",
    "no Host, for what the front does not serve": b"GET /status HTTP/1.1\r\n\r\n",
    "a Host that is none": LINE + b"Host: a b\r\n\r\n",
    "a Host that is none, for a page": b"GET /status HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a fragment": b"GET /orgs/Netflix#a HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space before a colon": LINE + HOST + b"A : b\r\n\r\n",
    "no colon": LINE + HOST + b"nonsense\r\n\r\n",
    "no name": LINE + HOST + b": b\r\n\r\n",
    "Content-Length and Transfer-Encoding": (
        b"POST /orgs/Netflix HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + LINE + HOST + b"\r\n"
    ),
    "both, with GET": (
        LINE + HOST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + LINE
    ),
    "two lengths": LINE + HOST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nabcde",
    "a negative length": LINE + HOST + b"Content-Length: -1\r\n\r\n",
    "a signed length": LINE + HOST + b"Content-Length: +1\r\n\r\na",
    "a space behind Transfer-Encoding": LINE + HOST + b"Transfer-Encoding : chunked\r\n\r\n",
    "chunked twice": LINE + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a method in lower case": b"get /orgs/Netflix HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method that is no word": b"G@T /orgs/Netflix HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method of 2,000 letters": b"A" * 2000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "HTTP/2.0": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "all bytes": bytes(range(256)) * 4,
    "a target beyond ASCII": "GET /orgs/Nétflix HTTP/1.1\r\n".encode() + HOST + b"\r\n",
}
# Neither a line's end nor anything else is to be had of these, so there is no answer to give.
ENDLESS = {
    "zeros": b"\0" * 100,
    "a TLS hello": bytes.fromhex("16030100c4010000c00303") + b"\x11" * 186,
}
TOO_LARGE = {
    "a target": (414, b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a target without an end": (431, b"GET /" + b"a" * 20_000),
    "a field": (431, LINE + HOST + b"A: " + b"a" * 9000 + b"\r\n\r\n"),
    "a field without an end": (431, LINE + HOST + b"A: " + b"a" * 20_000),
    "two hundred fields": (431, LINE + HOST + b"A: b\r\n" * 200 + b"\r\n"),
}


class TestWhatIsNoRequest:
    """Is refused, whatever stands before or behind it."""

    @pytest.mark.parametrize("kind", MALFORMED)
    @pytest.mark.parametrize("before", [b"", request(HIT)], ids=["alone", "after a hit"])
    def test_gets_a_400_and_the_end_of_the_connection(
        self, front: Reader, kind: str, before: bytes
    ) -> None:
        *first, refused = exchange(front.url, before + MALFORMED[kind])
        assert [answer.status for answer in first] == [200] * bool(before)
        assert refused.status == 400
        assert re.match(r"text/plain|application/json", refused.headers["content-type"])

    @pytest.mark.parametrize("kind", MALFORMED)
    def test_is_refused_byte_by_byte_as_well(self, front: Reader, kind: str) -> None:
        """However it is cut: the front looks at what may become a plain request again and again."""
        with Connection(front.url) as connection:
            try:
                for byte in MALFORMED[kind]:
                    connection.send(bytes([byte]))
            except ConnectionError:
                return
            refused = connection.receive_if_any()
            # What it had not read may have ended the connection the hard way.
            assert refused is None or refused.status == 400

    @pytest.mark.parametrize("kind", TOO_LARGE)
    def test_is_told_that_it_is_too_large(self, front: Reader, kind: str) -> None:
        status, data = TOO_LARGE[kind]
        assert [answer.status for answer in exchange(front.url, data)] == [status]

    @pytest.mark.parametrize("kind", ENDLESS)
    def test_disturbs_nobody_while_it_goes_on(self, front: Reader, kind: str) -> None:
        with Connection(front.url) as odd, Connection(front.url) as other:
            odd.send(ENDLESS[kind])
            for _ in range(20):
                assert other.ask(HIT).status == 200

    def test_costs_no_memory_however_long_it_is(self, front: Reader) -> None:
        endings = {
            "a target": b"GET /",
            "a field": LINE + b"A: ",
            "spaces": LINE + b"A:" + b" " * 100,
            "a method": b"",
        }
        (process,) = front.processes()
        before = process.memory_info().rss
        for _ in range(5):
            for start in endings.values():
                assert _sent_until_refused(front, start, b"a" * 65536) < 64 * 1024 * 1024
            assert _sent_until_refused(front, LINE, b"A: b\r\n" * 10_000) < 64 * 1024 * 1024
        assert process.memory_info().rss - before < 16 * 1024 * 1024


def _sent_until_refused(reader: Reader, start: bytes, piece: bytes) -> int:
    """How much could be sent before the connection was ended; much of it waits in the kernel."""
    sent = 0
    with Connection(reader.url) as connection:
        try:
            connection.send(start)
            while sent < 256 * 1024 * 1024:
                connection.send(piece)
                sent += len(piece)
        except ConnectionError:
            pass
    return sent


class TestOffersThatAreNotTaken:
    """Get an honest answer of HTTP/1.1."""

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_expecting_to_be_told_to_continue(self, front: Reader, method: str) -> None:
        with Connection(front.url) as connection:
            fields = {"Expect": "100-continue", "Content-Length": "3"}
            connection.send(request(HIT, method=method, **fields))
            answer = connection.receive()
            if answer.status == 100:
                connection.send(b"abc")
                answer = connection.receive()
            assert answer.status == {"GET": 200, "POST": 405}[method]

    def test_a_range_gets_the_whole(self, front: Reader) -> None:
        with Connection(front.url) as connection:
            assert connection.ask(HIT, Range="bytes=0-9").body == connection.ask(HIT).body

    def test_a_websocket_is_refused(self, front: Reader) -> None:
        opening = request(
            HIT,
            Connection="Upgrade",
            Upgrade="websocket",
            Sec_WebSocket_Version="13",
            Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
        )
        (answer,) = exchange(front.url, opening)
        assert 400 <= answer.status < 500

    def test_http_2_is_not_spoken(self, front: Reader) -> None:
        with Connection(front.url) as connection:
            offer = {"Upgrade": "h2c", "HTTP2_Settings": "AAMAAABkAAQAAP__"}
            answer = connection.ask(HIT, Connection="Upgrade, HTTP2-Settings", **offer)
            assert (answer.status, answer.body) == (200, connection.ask(HIT).body)


class TestGitHub:
    """Is not reached by way of a reader."""

    def test_does_not_see_who_asks(self, front: Reader, setting: Setting) -> None:
        secret = "token ghp_of_a_client"
        with Connection(front.url) as connection:
            assert connection.ask("/users/Netflix?who=me", Authorization=secret).status == 200
            assert connection.ask(HIT, Authorization=secret).status == 200
        seen = setting.github.recent()
        assert "/users/netflix?who=me" in [one["path"] for one in seen]
        assert not [one for one in seen if one["authorised"]]
        assert "authorization" not in {name.lower() for one in seen for name in one["headers"]}

    @pytest.mark.parametrize("directive", ["no-cache", "max-age=0", "no-store"])
    def test_is_not_asked_because_a_client_wants_it_newer(
        self, front: Reader, setting: Setting, directive: str
    ) -> None:
        asked = setting.github.counters()["total"]
        with Connection(front.url) as connection:
            for target in (HIT, REPOS, f"{REPOS}?page=1", "/view/top/1/stars"):
                answer = connection.ask(target, Cache_Control=directive, Pragma="no-cache")
                assert answer.status == 200
                assert "hit" in answer.headers["cache-status"]
        assert setting.github.counters()["total"] == asked


# Method, target, fields.
COMPARED: list[tuple[str, str, dict[str, str]]] = [
    *(
        (method, target, {})
        for method in ("GET", "HEAD")
        for target in (
            "/",
            HIT,
            "/orgs/netflix",
            "/orgs/Netflix/members",
            REPOS,
            f"{REPOS}?",
            f"{REPOS}?page=2",
            f"{REPOS}?per_page=100&page=3",
            f"{REPOS}?page=99",
            f"{REPOS}?page=x&per_page=0",
            f"{REPOS}?sort=created",
            f"{REPOS}?page=1&sort=updated",
            "/orgs/%4Eetflix/repos?page=2",
            "/view/top/5/stars",
            "/view/bottom/5/last_updated",
            "/view/top/2/forks?org=Netflix",
            "/view/top/2/forks?org=nobody",
            "/view/top/0/stars",
            "/view/top/x/stars",
            "/view/top/5/nonsense",
            "/repos/Netflix/Hystrix",
            "/users/nobody-of-that-name",
            "/user",
            "/orgs/Netflix/",
            "//orgs/Netflix",
            "/orgs//Netflix",
            "/x%2Fy",
            "/%zz",
            "/orgs/Netflix%00",
            "/orgs/Netflix/../Netflix",
            "/livez",
            "/healthcheck",
            "/webhooks/github",
        )
    ),
    *(
        (method, target, {})
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW")
        for target in (HIT, f"{REPOS}?page=2", "/user", "/livez", "/webhooks/github")
    ),
    *(
        ("GET", target, fields)
        for target in (REPOS, f"{REPOS}?page=2", "/view/top/5/stars", "/repos/Netflix/Hystrix")
        for fields in (
            {"Accept-Encoding": "gzip"},
            {"Accept-Encoding": "br;q=1, gzip;q=0.5"},
            {"Accept-Encoding": "gzip;q=0, *"},
            {"Accept-Encoding": "identity;q=0"},
            {"Accept-Encoding": ""},
            {"Accept-Encoding": ";;,=nonsense"},
            {"If-None-Match": "*"},
            {"If-None-Match": '"nonsense"'},
            {"If-None-Match": "nonsense, W/"},
            {"If-Modified-Since": "Fri, 31 Dec 2100 23:59:59 GMT"},
            {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
            {"If-Modified-Since": "yesterday"},
            {"If-None-Match": '"other"', "If-Modified-Since": "Fri, 31 Dec 2100 23:59:59 GMT"},
            {"Range": "bytes=0-9"},
            {"If-Match": '"nonsense"'},
            {"Host": "cache.test:8080"},
            {"Host": "[::1]:80"},
            {"Host": ""},
            {"Host": "a/b"},
            {"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https"},
            {"Forwarded": "host=evil.test;proto=https"},
            {"Authorization": "token x", "Cookie": "a=b", "Accept": "text/html"},
            {"Origin": "https://page.test", "X-GitHub-Api-Version": "1999-01-01"},
            {"X-Odd": "ünïcode", "User-Agent": ""},
        )
    ),
]


@pytest.fixture(scope="module")
def pair(setting: Setting) -> tuple[Reader, Reader]:
    """With the front and without, both holding all that is compared."""
    pair = (setting.front, setting.flask)
    for reader in pair:
        for method, target, _ in COMPARED:
            _ask(reader, target, method=method)
    for reader in pair:
        eventually(partial(_lasts, reader, "/repos/Netflix/Hystrix"))
    return pair


def _lasts(reader: Reader, target: str) -> bool:
    with Connection(reader.url) as connection:
        return lasts(connection.ask(target).headers)


class TestTheFlaskApplicationAlone:
    """Gives the same answers: the front is an accelerator and nothing more."""

    @pytest.mark.parametrize(
        ("method", "target", "fields"), COMPARED, ids=[" ".join(map(str, c)) for c in COMPARED]
    )
    def test_to(
        self, pair: tuple[Reader, Reader], method: str, target: str, fields: dict[str, str]
    ) -> None:
        one, other = (_ask(reader, target, method=method, **fields) for reader in pair)
        assert one == other

    @pytest.mark.parametrize("target", [REPOS, f"{REPOS}?page=2", "/view/top/5/stars"])
    @pytest.mark.parametrize("encoding", ["identity", "gzip", "br"])
    def test_to_one_who_holds_it_already(
        self, pair: tuple[Reader, Reader], target: str, encoding: str
    ) -> None:
        for asked in pair:
            tag = _ask(asked, target, Accept_Encoding=encoding).headers["etag"]
            fields = {"Accept-Encoding": encoding, "If-None-Match": f'"x", W/{tag}'}
            one, other = (_ask(reader, target, **fields) for reader in pair)
            assert one == other
            assert one.status == 304

    @pytest.mark.parametrize("target", ["/", HIT, f"{REPOS}?page=2", "/user", "/x%2Fy", "/livez"])
    def test_to_a_target_that_names_the_host_as_well(
        self, pair: tuple[Reader, Reader], target: str
    ) -> None:
        """Every server has to accept it, RFC 9112 section 3.2.2."""
        one, other = (_ask(reader, f"http://cache.test{target}") for reader in pair)
        assert one == other == _ask(pair[0], target)

    def test_to_a_target_that_names_another_host(self, pair: tuple[Reader, Reader]) -> None:
        """The `Host` field does not count then."""
        target = f"{REPOS}?page=2"
        one, other = (_ask(reader, f"http://a:b@other.test:8{target}") for reader in pair)
        assert one == other == _ask(pair[0], target, Host="other.test:8")
        assert one.links["next"].startswith("http://other.test:8/")
        refused = {_ask(reader, f"http://a b{target}").status for reader in pair}
        assert refused == {400}
        for host in ("", "a b"):
            refused = {_ask(reader, f"http://a.test{target}", Host=host).status for reader in pair}
            assert refused == {400}


def _ask(reader: Reader, target: str, *, method: str = "GET", **fields: str) -> Response:
    with Connection(reader.url) as connection:
        answer = _comparable(connection.ask(target, method=method, **fields))
    if target != "/rate_limit":
        return answer
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return Response(answer.status, headers, re.sub(rb"[0-9]+", b"?", answer.body))


def _comparable(answer: Response) -> Response:
    """Without what is of a moment, or of a connection."""
    ignored = {"server", "connection", "transfer-encoding", *OF_A_MOMENT}
    headers = {name: value for name, value in answer.headers.items() if name not in ignored}
    if "cache-status" in headers:
        headers["cache-status"] = re.sub(r"ttl=-?\d+", "ttl=?", headers["cache-status"])
    return Response(answer.status, headers, answer.body)

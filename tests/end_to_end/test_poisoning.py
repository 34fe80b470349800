"""What one client sends is in no answer to another, nor in what GitHub is asked.

After J. Kettle, Practical Web Cache Poisoning (2018) and Web Cache Entanglement (2020): whatever of
a request is not in its key must not be in its answer either.
"""

import re
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import pytest

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection, Response, exchange, request
from tests.waiting import eventually

PAGE = "/orgs/Netflix/repos?per_page=7&page=2"
MOUNT = "/api/v3"
HELD = [
    *("/orgs/Netflix", PAGE, "/view/top/3/stars", "/repos/Netflix/Hystrix/issues?per_page=2"),
    *(f"{MOUNT}/orgs/Netflix", MOUNT + PAGE, f"{MOUNT}/repos/Netflix/Hystrix/issues?per_page=2"),
]
EVIL = "evil.test"
PROXY = "127.0.0.2"

# Fields that are in no key; each is sent with a target that is held, or is in nobody's hands yet.
UNKEYED: dict[str, dict[str, str]] = {
    "Host": {"Host": EVIL},
    "Host with a port": {"Host": f"{EVIL}:1"},
    "X-Forwarded-Host": {"X-Forwarded-Host": EVIL},
    "X-Forwarded-Proto": {"X-Forwarded-Proto": "https"},
    "X-Forwarded-Port": {"X-Forwarded-Port": "666"},
    "X-Forwarded-Prefix": {"X-Forwarded-Prefix": f"/{EVIL}"},
    "X-Forwarded-For": {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"},
    "X-Forwarded-Server": {"X-Forwarded-Server": EVIL, "X-Host": EVIL},
    "Forwarded": {"Forwarded": f"for=127.0.0.1;host={EVIL};proto=https"},
    "X-Original-URL": {"X-Original-URL": f"/users/{EVIL}", "X-Rewrite-URL": f"/users/{EVIL}"},
    "X-HTTP-Method-Override": {"X-HTTP-Method-Override": "POST", "X-Method-Override": "DELETE"},
    "Accept": {"Accept": "application/vnd.github.raw+json"},
    "Accept, none of GitHub's": {"Accept": EVIL},
    "Accept, another form": {"Accept": "application/vnd.github.full+json"},
    "X-GitHub-Api-Version": {"X-GitHub-Api-Version": "2026-03-10"},
    "Accept-Encoding": {"Accept-Encoding": "br, gzip"},
    "Accept-Language": {"Accept-Language": EVIL},
    "Cookie": {"Cookie": f"session={EVIL}"},
    "Authorization": {"Authorization": f"token {EVIL}"},
    "Range": {"Range": "bytes=0-0"},
    "If-None-Match": {"If-None-Match": "*"},
    "User-Agent": {"User-Agent": f"curl/{EVIL}"},
    "Cache-Control": {"Cache-Control": "no-store, no-transform", "Pragma": "no-cache"},
    "X-Request-Id": {"X-Request-Id": EVIL},
    "Origin": {"Origin": f"https://{EVIL}", "Referer": f"https://{EVIL}/"},
    "Connection": {"Connection": "X-Forwarded-Host, Host", "X-Forwarded-Host": EVIL},
    "names with _": {"X_Forwarded_Host": EVIL, "Accept_Encoding": "br"},
}
# The target is another one, or there is a body: a key that is cut wrongly makes them one.
ELSEWHERE = {
    "query cloaking by ;": request(PAGE + ";page=9"),
    "a query in the key's own form": request(PAGE.replace("?", "%3F")),
    "an unknown query": request(f"{PAGE}&utm_content={EVIL}"),
    "a query twice": request(PAGE + "&page=3&per_page=1"),
    "an encoded name": request("/orgs/Netflix/repos?per_page=7&page=2&p%61ge=3"),
    "a fragment": request(f"{PAGE}#{EVIL}"),
    "the mount": request(MOUNT + PAGE, Host=EVIL),
    "a callback": request(f"{PAGE}&callback={EVIL}"),
    "a fat GET": request(PAGE, Content_Length="6") + b"page=9",
    "a form": request(
        PAGE, Content_Type="application/x-www-form-urlencoded", Content_Length="6"
    )
    + b"page=9",
    "a fat GET in chunks": request(PAGE, Transfer_Encoding="chunked") + b"1\r\na\r\n0\r\n\r\n",
    "another authority": request(f"http://{EVIL}{PAGE}"),
    "HEAD": request(PAGE, method="HEAD", Host=EVIL, Connection="close"),
}  # fmt: skip
MOMENTARY = {
    "date",
    "last-modified",  # never later than `Date`, so it may still grow when content has just come
    "server",
    "connection",
    "age",
    "x-request-id",
    "x-github-request-id",
    "transfer-encoding",
    *(f"x-ratelimit-{name}" for name in ("limit", "remaining", "used", "reset")),
}
# Everything that a refresher says to GitHub.
SAID = {
    *("host", "accept", "accept-encoding", "connection", "user-agent", "x-github-api-version"),
    "if-none-match",
}


class Setting(NamedTuple):
    """What the tests of this module share; both readers believe `PROXY`."""

    github: FakeGitHubProcess
    front: Reader
    flask: Reader


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    rules = {"ON_DEMAND_TTL": 1000, "TRUSTED_PROXIES": PROXY}
    with (
        FakeGitHubProcess(anonymous_limit=1_000_000) as github,
        Fleet(tmp_path_factory.mktemp("fleet"), github.url, **rules) as fleet,
    ):
        fleet.worker()
        front, flask = fleet.healthy_reader(), fleet.flask_reader()
        eventually(flask.is_healthy)
        for reader in (front, flask):
            for target in HELD:
                assert ask(reader, target).status == 200
        yield Setting(github, front, flask)


_numbers = count()


def nowhere() -> str:
    """A target that nobody has asked for, with a `Link` in its answer."""
    return f"/repos/Netflix/Hystrix/issues?per_page=2&n={next(_numbers)}"


def ask(reader: Reader, target: str, source: str | None = None, **fields: str) -> Response:
    with Connection(reader.url, source=source) as connection:
        return connection.ask(target, **fields)


def honest(reader: Reader, target: str) -> Response:
    """What somebody gets who sends nothing odd, without what is of a moment."""
    answer = ask(reader, target)
    headers = {name: value for name, value in answer.headers.items() if name not in MOMENTARY}
    headers["cache-status"] = re.sub(r"ttl=-?\d+.*", "", headers.get("cache-status", ""))
    return Response(answer.status, headers, answer.body)


@pytest.mark.parametrize("server", ["front", "flask"])
class TestAnotherClient:
    """Gets byte for byte what it got before."""

    def test_after_a_field(self, setting: Setting, server: str, subtests: pytest.Subtests) -> None:
        reader: Reader = getattr(setting, server)
        for target in HELD:
            before = honest(reader, target)
            assert before.status == 200
            assert EVIL.encode() not in before.body + repr(before.headers).encode()
            for name, fields in UNKEYED.items():
                with subtests.test(name, target=target):
                    for _ in range(2):
                        ask(reader, target, **fields)
                        assert honest(reader, target) == before

    def test_after_another_target(
        self, setting: Setting, server: str, subtests: pytest.Subtests
    ) -> None:
        reader: Reader = getattr(setting, server)
        before = honest(reader, PAGE)
        assert before.status == 200
        for kind, data in ELSEWHERE.items():
            with subtests.test(kind):
                for _ in range(2):
                    with Connection(reader.url) as connection:
                        connection.send(data)
                        assert connection.receive(method=kind).status in {200, 400, 404}
                    assert honest(reader, PAGE) == before

    def test_after_all_fields_with_a_target_that_was_nowhere(
        self, setting: Setting, server: str
    ) -> None:
        """Whoever asks first decides nothing of what is stored."""
        reader: Reader = getattr(setting, server)
        for field, fields in UNKEYED.items():
            target = nowhere()
            ask(reader, target, **fields)
            ask(reader, target)  # if the fields chose another form, this one is not held yet
            clean = honest(reader, target)
            assert clean.status == 200, field
            assert EVIL.encode() not in clean.body + repr(clean.headers).encode(), field
            assert clean.headers["link"].startswith("<http://cache.test/repos/Netflix/"), field
            twin = honest(setting.flask if reader is setting.front else setting.front, target)
            assert twin == clean, field

    def test_after_all_fields_under_the_mount(self, setting: Setting, server: str) -> None:
        """Whoever asks first under the mount decides nothing of what others get, here or there."""
        reader: Reader = getattr(setting, server)
        for field, fields in UNKEYED.items():
            target = nowhere()
            ask(reader, MOUNT + target, **fields)
            plain, mounted = honest(reader, target), honest(reader, MOUNT + target)
            for clean in (plain, mounted):
                assert clean.status == 200, field
                assert EVIL.encode() not in clean.body + repr(clean.headers).encode(), field
            start = f"http://cache.test{MOUNT}/repos/Netflix/"
            assert mounted.headers["link"].startswith(f"<{start}"), field
            assert {one["url"].startswith(start) for one in mounted.json} == {True}, field
            twin = setting.flask if reader is setting.front else setting.front
            assert honest(twin, MOUNT + target) == mounted, field


def test_github_hears_nothing_of_a_client(setting: Setting) -> None:
    setting.github.reset_counters()  # of targets that name something evil themselves
    for fields in UNKEYED.values():
        assert ask(setting.front, nowhere(), **fields).status in {200, 304}
    seen = setting.github.recent()
    assert len(seen) == len(UNKEYED)
    assert {name.lower() for one in seen for name in one["headers"]} <= SAID
    assert EVIL not in repr(seen)
    assert {one["user_agent"] for one in seen} == {"api-read-cache"}
    # Of what the client accepts, GitHub hears only a form that it documents for the path.
    forms = {"application/vnd.github+json", "application/vnd.github.full+json"}
    assert {one["accept"] for one in seen} == forms
    assert not [one for one in seen if one["authorised"]]


FORGED = {"X_Forwarded_Host": EVIL, "X_Forwarded_Proto": "https"}


def base_of(answer: Response) -> str:
    """Scheme and authority in the links of an answer."""
    bases = set(re.findall(r"<(\w+://[^/]+)/", answer.headers["link"]))
    assert len(bases) == 1
    return str(bases.pop())


@pytest.mark.parametrize("server", ["front", "flask"])
class TestAProxy:
    """Is believed when it is one of TRUSTED_PROXIES, by the address of the connection."""

    def test_that_is_trusted_is_believed_and_nobody_else(
        self, setting: Setting, server: str
    ) -> None:
        reader: Reader = getattr(setting, server)
        for target in (PAGE, nowhere(), MOUNT + PAGE, MOUNT + nowhere()) * 2:
            forged = {name.replace("_", "-"): value for name, value in FORGED.items()}
            assert base_of(ask(reader, target, **forged)) == "http://cache.test"
            assert base_of(ask(reader, target, PROXY, **forged)) == f"https://{EVIL}"
            assert base_of(ask(reader, target, PROXY)) == "http://cache.test"
            assert base_of(ask(reader, target, **forged)) == "http://cache.test"

    def test_is_nobody_who_says_so_itself(self, setting: Setting, server: str) -> None:
        reader: Reader = getattr(setting, server)
        for field in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
            fields = {field: PROXY, "X-Forwarded-Host": EVIL}
            for target in (PAGE, nowhere(), MOUNT + PAGE, MOUNT + nowhere()):
                assert base_of(ask(reader, target, **fields)) == "http://cache.test"

    def test_cannot_make_a_link_of_what_is_no_host(self, setting: Setting, server: str) -> None:
        reader: Reader = getattr(setting, server)
        odd = ["a b", "a/b", 'a">', "<a>", "a,b/", "user@a", "a:port", "", "[:2]", "a" * 300]
        for host in odd:
            for target in (PAGE, nowhere(), MOUNT + PAGE, MOUNT + nowhere()):
                answer = ask(reader, target, PROXY, **{"X-Forwarded-Host": host})
                assert answer.status == 200, host
                assert base_of(answer) == "http://cache.test", host

    def test_of_several_the_nearest_counts(self, setting: Setting, server: str) -> None:
        reader: Reader = getattr(setting, server)
        fields = {"X-Forwarded-Host": f"{EVIL}, good.test", "X-Forwarded-Proto": "ftp, https"}
        for target in (PAGE, nowhere(), MOUNT + PAGE, MOUNT + nowhere()):
            assert base_of(ask(reader, target, PROXY, **fields)) == "https://good.test"

    def test_does_not_speak_the_proxy_protocol(self, setting: Setting, server: str) -> None:
        reader: Reader = getattr(setting, server)
        line = f"PROXY TCP4 {PROXY} 127.0.0.1 1 2\r\n".encode()
        for said in (line, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\x7f\0\0\x02" * 3):
            assert [one.status for one in exchange(reader.url, said + request(PAGE))] in (
                [400],
                [],
            )

    def test_is_asked_for_by_a_host(self, setting: Setting, server: str) -> None:
        reader: Reader = getattr(setting, server)
        for host in ("a b", "a/b", '"', "a@b", "<a>"):
            for target in (PAGE, nowhere(), MOUNT + PAGE, MOUNT + nowhere()):
                assert ask(reader, target, Host=host).status == 400

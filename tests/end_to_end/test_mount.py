"""`/api/v3` is GitHub Enterprise Server's: what leads to the origin in a body leads to us.

With real readers, with and without the front, and with a stand-in GitHub whose bodies have the
address of the real one.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from shared.queueing import QueueLimits, RefreshQueue
from tests.builders import tracked
from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.up_to_date import lasts
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection, Response
from tests.waiting import eventually

GITHUB = "https://api.github.com"
MOUNT = "/api/v3"
PUBLIC = "https://cache.example.com/github"
PROXY = "127.0.0.2"
LIST = "/orgs/Netflix/repos"  # 250 repositories, 1.35 MB
PAGE = f"{LIST}?per_page=7&page=2"
SMALL = ["/", "/orgs/Netflix", PAGE, "/view/top/3/stars", "/repos/Netflix/Hystrix",
         "/repos/Netflix/Hystrix/issues?per_page=2", "/users/nobody-at-all"]  # fmt: skip
# How a client, or a proxy that is believed, says an address.
HOSTS: dict[str, dict[str, str]] = {
    "http://a.test": {"Host": "a.test"},
    "http://a.test:8443": {"Host": "a.test:8443"},
    "http://[2001:db8::1]:5000": {"Host": "[2001:db8::1]:5000"},
    "https://b.test": {
        "Host": "a.test", "X_Forwarded_Host": "b.test", "X_Forwarded_Proto": "https"
    },
    "https://a.test": {"Host": "a.test", "X_Forwarded_Proto": "https"},
    "http://c.test": {"Host": "a.test", "X_Forwarded_Host": "evil.test, c.test"},
}  # fmt: skip
MOMENTARY = {
    *("date", "age", "x-request-id", "x-github-request-id", "cache-status", "connection", "server"),
    *(f"x-ratelimit-{name}" for name in ("limit", "remaining", "used", "reset")),
}


class Setting(NamedTuple):
    """Two readers that believe `PROXY`, and one that has a `PUBLIC_URL`."""

    fleet: Fleet
    github: FakeGitHubProcess
    front: Reader
    flask: Reader
    public: Reader


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    with (
        FakeGitHubProcess(anonymous_limit=1_000_000) as github,
        Fleet(tmp_path_factory.mktemp("fleet"), github.url, ON_DEMAND_TTL=1000) as fleet,
    ):
        fleet.worker()
        front = fleet.healthy_reader(TRUSTED_PROXIES=PROXY)
        public = fleet.healthy_reader(PUBLIC_URL=f"{PUBLIC}/")
        flask = fleet.flask_reader(TRUSTED_PROXIES=PROXY)
        eventually(flask.is_healthy)
        yield Setting(fleet, github, front, flask, public)


def ask(
    reader: Reader, target: str, *, method: str = "GET", source: str | None = None, **fields: str
) -> Response:
    with Connection(reader.url, source=source) as connection:
        return connection.ask(target, method=method, **fields)


def lasting(answer: Response) -> tuple[int, dict[str, str], bytes]:
    fields = {name: value for name, value in answer.headers.items() if name not in MOMENTARY}
    return answer.status, fields, answer.body


def with_base(value: Any, base: str, key: str = "") -> Any:
    """A body's value with another address, worked out on what JSON means."""
    if isinstance(value, dict):
        return {name: with_base(inner, base, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_base(inner, base) for inner in value]
    if isinstance(value, str) and key.endswith(("url", "href")):
        return re.sub(rf"^{re.escape(GITHUB)}(?=[/?{{#]|$)", base, value)
    return value


def leads_to(value: Any, base: str) -> set[str]:
    """The URLs in a body that begin with an address, without templates."""
    if isinstance(value, dict):
        return set().union(*(leads_to(inner, base) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(leads_to(inner, base) for inner in value))
    return {value} if isinstance(value, str) and value.startswith(f"{base}/") else set()


@pytest.mark.parametrize("server", ["front", "flask"])
class TestABody:
    """Under the mount is the body under `/`, with the address that the client used."""

    @pytest.mark.parametrize("target", [*SMALL, LIST])
    def test_has_the_clients_address(self, setting: Setting, server: str, target: str) -> None:
        reader: Reader = getattr(setting, server)
        plain = ask(reader, target)
        base = f"http://cache.test{MOUNT}"
        for _ in range(3):  # by Flask, and then by the front
            answer = ask(reader, MOUNT + target)
            assert answer.status == plain.status
            assert answer.json == with_base(plain.json, base)
        assert GITHUB.encode() not in answer.body

    def test_is_the_origins_otherwise(self, setting: Setting, server: str) -> None:
        reader: Reader = getattr(setting, server)
        for target in SMALL:
            plain, mounted = ask(reader, target).body, ask(reader, MOUNT + target).body
            back = mounted.replace(f"http://cache.test{MOUNT}".encode(), GITHUB.encode())
            assert back == plain

    def test_of_the_mount_itself_is_the_root(self, setting: Setting, server: str) -> None:
        reader: Reader = getattr(setting, server)
        roots = {ask(reader, MOUNT + end).body for end in ("", "/", "?", "/?")}
        assert len(roots) == 1
        [root] = roots
        assert json.loads(root)["rate_limit_url"] == f"http://cache.test{MOUNT}/rate_limit"

    def test_is_the_same_compressed(self, setting: Setting, server: str) -> None:
        reader: Reader = getattr(setting, server)
        for target in ("/orgs/Netflix", LIST, PAGE):
            plain = ask(reader, MOUNT + target)
            if target != PAGE:
                eventually(partial(is_gzipped, reader, target))
            packed = ask(reader, MOUNT + target, Accept_Encoding="br, gzip")
            assert packed.content == plain.content
            if target != PAGE:
                assert packed.headers["etag"] != plain.headers["etag"]
                assert packed.headers["content-encoding"] == "gzip"

    def test_is_not_sent_for_head(self, setting: Setting, server: str) -> None:
        reader: Reader = getattr(setting, server)
        for target in (*SMALL, LIST):
            eventually(partial(is_held, reader, target))
            whole = ask(reader, MOUNT + target)
            status, fields, body = lasting(ask(reader, MOUNT + target, method="HEAD"))
            assert (status, fields) == lasting(whole)[:2]
            assert body == b""


def is_gzipped(reader: Reader, target: str) -> bool:
    answer = ask(reader, MOUNT + target, Accept_Encoding="gzip")
    return answer.headers.get("content-encoding") == "gzip"


def is_held(reader: Reader, target: str) -> bool:
    """Whether a body is made, so that it has a length, and its fields stay as they are."""
    fields = ask(reader, MOUNT + target).headers
    return "content-length" in fields and lasts(fields)


@pytest.mark.parametrize("server", ["front", "flask"])
class TestTheAddress:
    """Is what the client used, and nobody else sees it."""

    def test_is_in_bodies_links_and_tags(
        self, setting: Setting, server: str, subtests: pytest.Subtests
    ) -> None:
        reader: Reader = getattr(setting, server)
        tags = set()
        for base, fields in list(HOSTS.items()) * 2:
            with subtests.test(base):
                answer = ask(reader, MOUNT + PAGE, source=PROXY, **fields)
                assert all(
                    repo["url"].startswith(f"{base}{MOUNT}/repos/Netflix/") for repo in answer.json
                )
                assert set(re.findall(r"<([^>]+)\?", answer.headers["link"])) == {
                    f"{base}{MOUNT}{LIST}"
                }
                tags.add(answer.headers["etag"])
        assert len(tags) == len(HOSTS)

    def test_of_one_client_never_shows_in_the_body_of_another(
        self, setting: Setting, server: str
    ) -> None:
        reader: Reader = getattr(setting, server)
        for number in range(40):
            evil = f"evil-{number}.test"
            for target in SMALL:
                assert ask(reader, MOUNT + target, Host=evil).status in {200, 404}
                answer = ask(reader, MOUNT + target)
                assert b"evil" not in answer.body + repr(answer.headers).encode()

    def test_decides_who_has_a_body_already(self, setting: Setting, server: str) -> None:
        reader: Reader = getattr(setting, server)
        for target in (*SMALL[:-1], LIST):
            tags = {
                host: ask(reader, MOUNT + target, Host=host).headers["etag"]
                for host in ("a.test", "b.test", *(f"many-{number}.test" for number in range(6)))
            }
            tags[""] = ask(reader, target).headers["etag"]
            assert len(set(tags.values())) == len(tags)
            for host, tag in tags.items():
                for other in ("a.test", "many-5.test"):
                    answer = ask(reader, MOUNT + target, Host=other, If_None_Match=tag)
                    assert answer.status == (304 if host == other else 200), (target, host, other)
                    if answer.status == 304:
                        assert (answer.headers["etag"], answer.body) == (tag, b"")

    def test_that_is_none_is_a_bad_request(self, setting: Setting, server: str) -> None:
        reader: Reader = getattr(setting, server)
        for host in ("a b", "a/b", '"', "a@b", "<a>"):
            assert ask(reader, f"{MOUNT}/orgs/Netflix", Host=host).status == 400

    def test_is_not_believed_of_a_stranger(self, setting: Setting, server: str) -> None:
        reader: Reader = getattr(setting, server)
        for _ in range(2):
            answer = ask(reader, f"{MOUNT}/orgs/Netflix", X_Forwarded_Host="evil.test")
            assert answer.json["url"] == f"http://cache.test{MOUNT}/orgs/Netflix"


class TestWithAPublicUrl:
    """It is what every client gets, whatever `Host` says."""

    def test_it_is_in_all_bodies_and_links(self, setting: Setting) -> None:
        eventually(partial(is_held, setting.public, PAGE))
        first = ask(setting.public, MOUNT + PAGE)
        for fields in ({"Host": "a.test"}, {"Host": "b.test:1"}, {"X_Forwarded_Host": "c.test"}):
            again = ask(setting.public, MOUNT + PAGE, **fields)
            assert lasting(again) == lasting(first)
        assert {repo["url"].partition("/repos/")[0] for repo in first.json} == {PUBLIC + MOUNT}
        assert set(re.findall(r"<([^>]+)\?", first.headers["link"])) == {f"{PUBLIC}{MOUNT}{LIST}"}

    def test_links_under_the_root_begin_with_it_too(self, setting: Setting) -> None:
        answer = ask(setting.public, PAGE)
        assert set(re.findall(r"<([^>]+)\?", answer.headers["link"])) == {f"{PUBLIC}{LIST}"}
        assert {repo["url"].partition("/repos/")[0] for repo in answer.json} == {GITHUB}

    def test_refusals_name_our_pages_there(self, setting: Setting) -> None:
        body = ask(setting.public, f"{MOUNT}/orgs/Netflix/hooks").json
        assert body["documentation_url"].startswith((f"{PUBLIC}{MOUNT}/", "https://docs.github"))

    def test_many_hosts_share_what_is_held(self, setting: Setting) -> None:
        ask(setting.public, f"{MOUNT}/orgs/Netflix")
        for number in range(20):
            answer = ask(setting.public, f"{MOUNT}/orgs/Netflix", Host=f"h{number}.test")
            assert answer.headers["cache-status"].endswith("detail=local")
            assert "content-length" in answer.headers


def test_a_client_that_follows_urls_stays_here(setting: Setting) -> None:
    """From the root of an organisation to whatever it names, and on from there."""
    base = f"{setting.front.url}{MOUNT}"
    host = setting.front.url.removeprefix("http://")
    seen: set[str] = set()
    todo = [f"{base}/orgs/Netflix", f"{base}/repos/Netflix/Hystrix"]
    answered = 0
    while todo and len(seen) < 60:
        url = todo.pop(0)
        seen.add(url)
        answer = ask(setting.front, url.removeprefix(setting.front.url), Host=host)
        assert answer.status not in {400, 500, 503}, url
        if answer.status != 200:
            continue
        answered += 1
        assert not leads_to(answer.json, GITHUB), url
        found = {one for one in leads_to(answer.json, base) if "{" not in one} - seen - set(todo)
        todo += sorted(found)[:4]
    assert answered > 10


@pytest.mark.parametrize("server", ["front", "flask", "public"])
def test_pages_lead_to_the_whole_list(setting: Setting, server: str) -> None:
    reader: Reader = getattr(setting, server)
    items, target = [], f"{MOUNT}{LIST}?per_page=100"
    while target:
        answer = ask(reader, target)
        items += answer.json
        following = answer.links.get("next", "")
        start = f"{PUBLIC}{MOUNT}" if server == "public" else f"http://cache.test{MOUNT}"
        assert following == "" or following.startswith(f"{start}{LIST}?")
        target = following and MOUNT + following.removeprefix(start)
    assert items == ask(reader, f"{MOUNT}{LIST}").json
    assert len(items) == 250


@pytest.mark.parametrize("server", ["front", "flask"])
@pytest.mark.parametrize("path", ["/healthcheck", "/livez", "/metrics", "/status", "/status.json"])
def test_what_is_ours_is_there_too(setting: Setting, server: str, path: str) -> None:
    reader: Reader = getattr(setting, server)
    plain, mounted = ask(reader, path), ask(reader, MOUNT + path)
    assert (mounted.status, mounted.headers["content-type"]) == (200, plain.headers["content-type"])
    for elsewhere in (f"{MOUNT}{MOUNT}{path}", f"/api/v33{path}", f"/%61pi/v3{path}"):
        assert ask(reader, elsewhere).status == 404


@pytest.mark.parametrize("server", ["front", "public"])
def test_a_new_version_is_rewritten_too(setting: Setting, server: str) -> None:
    reader: Reader = getattr(setting, server)
    target = f"{MOUNT}{LIST}?per_page=100"
    before = ask(reader, target)
    named = before.json[7]
    setting.github.mutate("star", repo=named["name"], by=3)
    with setting.fleet.redis() as redis:
        RefreshQueue(redis, QueueLimits(queued=9)).force(tracked(LIST))

    def stars() -> int:
        found = ask(reader, target).json
        assert not leads_to(found, GITHUB)
        return next(int(one["stargazers_count"]) for one in found if one["id"] == named["id"])

    eventually(lambda: stars() == named["stargazers_count"] + 3, what="the new version is served")
    assert ask(reader, target, If_None_Match=before.headers["etag"]).status == 200


def test_an_enterprise_servers_addresses_are_replaced_and_its_archives_are_found(
    tmp_path: Path,
) -> None:
    with (
        FakeGitHubProcess(
            repos=3,
            members=2,
            prefix=MOUNT,
            public_base="self",
            enterprise_version="3.19.0",
            codeload="self",
            rate_limiting=False,
        ) as github,
        Fleet(tmp_path, github.url) as fleet,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        base = f"{reader.url}{MOUNT}"
        repo = requests.get(f"{base}/repos/Netflix/Hystrix", timeout=60).json()
        assert repo["url"] == f"{base}/repos/Netflix/Hystrix"
        assert not leads_to(repo, github.url)
        page = requests.get(f"{base}{LIST}?per_page=1", timeout=60)
        assert page.links["next"]["url"] == f"{base}{LIST}?per_page=1&page=2"
        url = repo["archive_url"].replace("{archive_format}{/ref}", "tarball/main")
        moved = requests.get(url, timeout=60, allow_redirects=False)
        place = moved.headers["Location"]
        assert (moved.status_code, "?" in place) == (302, False)
        assert not place.startswith(reader.url)
        with tarfile.open(fileobj=io.BytesIO(requests.get(place, timeout=60).content)) as archive:
            assert any(name.endswith("/docs/index.md") for name in archive.getnames())

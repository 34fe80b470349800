"""The client of docs/fall-back.md: the cache's answers, GitHub's while the cache is away."""

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import requests

from scripts.embedded_redis import free_port
from tests.end_to_end.fleet import CHECKOUT, Fleet
from tests.fakegithub.client import FakeGitHubProcess
from tests.shipping.stand_in import HANG_UP, a_server

TOKEN = "ghp_of_the_client"


def example(name: str) -> Any:
    """Something that the document's program defines."""
    text = (CHECKOUT / "docs" / "fall-back.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    return names[name]


class Client:
    """The document's client, with a clock that the test moves."""

    def __init__(self, cache: str, github: str) -> None:
        self.now = 0.0
        self._client = example("GitHub")(cache, TOKEN, github=github, clock=lambda: self.now)

    def get(self, path: str, **options: Any) -> requests.Response:
        response: requests.Response = self._client.get(path, **options)
        return response


@pytest.fixture
def github() -> Iterator[str]:
    """What answers as GitHub: with the header fields of the request."""
    with a_server(orgs=200, users=404) as port:
        yield f"http://127.0.0.1:{port}"


def is_from_cache(response: requests.Response) -> bool:
    return "Cache-Status" in response.headers


def test_answers_are_githubs_while_the_cache_is_away_and_the_caches_when_it_is_back(
    tmp_path: Path,
) -> None:
    with (
        FakeGitHubProcess(repos=150, anonymous_limit=1_000_000) as github,
        Fleet(tmp_path, github.url) as fleet,
    ):
        fleet.worker()
        port = free_port()
        reader = fleet.healthy_reader(PORT=port)
        client = Client(f"{reader.url}/api/v3", github.url)

        def lists(*, cached: bool) -> None:
            first = client.get("/orgs/Netflix/repos", params={"per_page": 100})
            second = client.get(first.links["next"]["url"])
            assert [is_from_cache(one) for one in (first, second)] == [cached, cached]
            names = [repo["full_name"] for page in (first, second) for repo in page.json()]
            assert names == [repo["full_name"] for repo in github.repos()]

        lists(cached=True)
        reader.kill()
        lists(cached=False)
        fleet.healthy_reader(PORT=port)
        lists(cached=False)
        client.now += 2
        lists(cached=True)


def test_the_token_goes_to_github_and_never_to_the_cache(
    github: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login octocat password of-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    given = {"authorization": f"token {TOKEN}", "COOKIE": TOKEN, "Accept": "text/plain"}
    with a_server(orgs=200, gists=503) as port:
        client = Client(f"http://127.0.0.1:{port}", github)
        seen = client.get("/orgs", headers=given).json()
        assert "Authorization" not in seen
        assert "Cookie" not in seen
        assert seen["Accept"] == "text/plain"
        assert TOKEN not in str(client.get(f"{github}/orgs").json())
    assert client.get("/orgs").json()["Authorization"] == f"Bearer {TOKEN}"
    for elsewhere in ("http://127.0.0.1:9/orgs", f"{github}.example.com/orgs", "orgs"):
        with pytest.raises(ValueError, match="neither of the cache nor of GitHub"):
            client.get(elsewhere)


def test_a_cache_that_does_not_answer_is_asked_once_and_again_after_growing_pauses(
    github: str,
) -> None:
    asked: list[str] = []
    with a_server(asked, orgs=HANG_UP, livez=HANG_UP) as port:
        client = Client(f"http://127.0.0.1:{port}", github)
        for number, pause in enumerate([2, 4, 8, 16, 30, 30], start=1):
            for _ in range(3):
                assert client.get("/orgs").status_code == 200
            assert len(asked) == number
            client.now += pause - 0.1
            client.get("/orgs")
            assert len(asked) == number
            client.now += 0.1


def test_what_the_cache_refuses_is_asked_for_at_github_and_the_rest_at_the_cache(
    github: str,
) -> None:
    with a_server(users=503, orgs=304) as port:
        client = Client(f"http://127.0.0.1:{port}", github)
        assert [client.get(path).status_code for path in ("/users", "/orgs")] == [404, 304]


def test_one_thread_finds_out_whether_the_cache_is_back_while_the_others_go_on(
    github: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = Barrier(2, timeout=60)
    port = free_port()
    client = Client(f"http://127.0.0.1:{port}", github)
    assert client.get("/orgs").status_code == 200
    client.now += 2
    tried: list[str] = []
    get = requests.Session.get

    def watched(self: requests.Session, url: str, **options: Any) -> requests.Response:
        if url.endswith("/livez"):
            tried.append(url)
            meeting.wait()
            meeting.wait()
        return get(self, url, **options)

    monkeypatch.setattr(requests.Session, "get", watched)
    first = Thread(target=client.get, args=("/orgs",))
    first.start()
    meeting.wait()  # it is about to ask for /livez
    assert client.get("/orgs").status_code == 200
    meeting.wait()
    first.join(timeout=60)
    assert len(tried) == 1

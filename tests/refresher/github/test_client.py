"""One request to GitHub: its header fields, which hosts it trusts, and how it fails."""

import json
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from refresher.errors import OriginError
from refresher.github.client import MAX_REDIRECTS, GitHubClient
from refresher.github.request_headers import MEDIA_TYPE, USER_AGENT
from scripts.embedded_redis import free_port
from shared.api_versions import UNNAMED as API_VERSION
from shared.outcomes import FailureKind
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.limits import ANONYMOUS, credential_of
from tests.refresher.conftest import MakeOrigin
from tests.refresher.workbench import TOKEN
from tests.waiting import eventually

LIST = "/orgs/Netflix/repos"


@pytest.fixture
def elsewhere() -> Iterator[FakeGitHub]:
    """Another host; on the web, another port is one, too."""
    with FakeGitHub(repos=1, members=1, anonymous_limit=1_000_000) as github:
        yield github


def refusal(get: Callable[[], Any]) -> OriginError:
    """The error that a request ends with."""
    with pytest.raises(OriginError) as refused:
        get()
    return refused.value


def test_an_answer_is_taken_in_whole(github: FakeGitHub, make_origin: MakeOrigin) -> None:
    origin = make_origin(github.url)
    response = origin.get(origin.url_of("/orgs/Netflix"))
    assert response.status == 200
    assert response.url == github.url + "/orgs/Netflix"
    assert json.loads(response.body) == github.org()
    assert response.headers["etag"] == response.headers["ETag"]
    assert response.links == {}


def test_a_request_says_who_asks_and_what_for(github: FakeGitHub, make_origin: MakeOrigin) -> None:
    origin = make_origin(github.url)
    origin.get(origin.url_of("/"))
    (seen,) = github.recent()
    assert seen["method"] == "GET"
    assert seen["user_agent"] == USER_AGENT
    assert seen["accept"] == MEDIA_TYPE == "application/vnd.github+json"
    assert seen["api_version"] == API_VERSION == "2022-11-28"
    assert "Accept-Encoding" in seen["headers"]


def test_without_a_token_nothing_is_sent_for_one(
    github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    origin = make_origin(github.url)
    origin.get(origin.url_of("/"))
    assert "Authorization" not in github.recent()[0]["headers"]


def test_the_token_is_sent_where_one_is_set(github: FakeGitHub, make_origin: MakeOrigin) -> None:
    github.configure(tokens=[TOKEN])
    origin = make_origin(github.url, github_api_token=TOKEN)
    assert origin.get(origin.url_of("/")).status == 200
    assert github.recent()[0]["credential"] == credential_of(TOKEN)


@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_netrc_file_is_not_used(
    github: FakeGitHub,
    make_origin: MakeOrigin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    token: str | None,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password from-the-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    origin = make_origin(github.url, github_api_token=token)
    origin.get(origin.url_of("/"))
    expected = credential_of(token) if token else ANONYMOUS
    assert github.recent()[0]["credential"] == expected


def test_cookies_are_not_kept(github: FakeGitHub, make_origin: MakeOrigin) -> None:
    github.fault("slow", headers={"Set-Cookie": "logged_in=no; Path=/"})
    origin = make_origin(github.url)
    for _ in range(2):
        origin.get(origin.url_of("/"))
    assert [name for seen in github.recent() for name in seen["headers"] if name == "Cookie"] == []


def test_bodies_travel_compressed(large_github: FakeGitHub, make_origin: MakeOrigin) -> None:
    origin = make_origin(large_github.url)
    response = origin.get(origin.url_of(f"{LIST}?per_page=100"))
    assert response.headers["Content-Encoding"] == "gzip"
    assert json.loads(response.body) == large_github.repos()[:100]
    assert large_github.counters()["bytes_sent"] < len(response.body) / 2


@pytest.mark.parametrize("chunked", [True, False])
def test_bodies_come_whole_in_any_framing(
    large_github: FakeGitHub, make_origin: MakeOrigin, *, chunked: bool
) -> None:
    large_github.configure(chunked=chunked)
    origin = make_origin(large_github.url)
    response = origin.get(origin.url_of(f"{LIST}?per_page=100"))
    assert json.loads(response.body) == large_github.repos()[:100]


def test_one_connection_serves_many_requests(github: FakeGitHub, make_origin: MakeOrigin) -> None:
    origin = make_origin(github.url)
    for _ in range(3):
        origin.get(origin.url_of("/orgs/Netflix"))
    # Ours, and the one of this question.
    assert github.counters()["connections"] == 2


def test_links_are_known_by_their_relation(
    large_github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    origin = make_origin(large_github.url)
    response = origin.get(origin.url_of(f"{LIST}?per_page=100&page=2"))
    numeric = f"{large_github.url}/organizations/913567/repos?per_page=100&page="
    assert response.links == {
        "prev": numeric + "1",
        "next": numeric + "3",
        "last": numeric + "3",
        "first": numeric + "1",
    }


def test_a_relative_link_is_one_below_the_page(github: FakeGitHub, make_origin: MakeOrigin) -> None:
    github.fault("slow", headers={"Link": '<?page=2>; rel="next"'})
    origin = make_origin(github.url)
    response = origin.get(origin.url_of(LIST))
    assert response.links == {"next": f"{github.url}{LIST}?page=2"}


def test_an_error_status_is_an_answer_like_any_other(
    github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    github.fault("status", status=503)
    origin = make_origin(github.url)
    assert origin.get(origin.url_of("/")).status == 503


def test_an_enterprise_base_is_kept_before_every_path(make_origin: MakeOrigin) -> None:
    with FakeGitHub(repos=1, members=1, anonymous_limit=1_000_000, prefix="/api/v3") as github:
        origin = make_origin(github.url + "/")
        assert origin.url_of("/orgs/Netflix") == github.url + "/orgs/Netflix"
        assert origin.get(origin.url_of("/orgs/Netflix")).status == 200


@pytest.mark.parametrize(
    ("base", "url", "owned"),
    [
        ("https://api.github.com", "https://api.github.com/x", True),
        ("https://api.github.com", "https://API.GitHub.com:443/x", True),
        ("https://api.github.com", "http://api.github.com/x", False),
        ("https://api.github.com", "https://api.github.com:444/x", False),
        ("https://api.github.com", "https://api.github.com.example/x", False),
        ("https://api.github.com", "https://api.github.com@example.com/x", False),
        ("https://api.github.com", "//api.github.com/x", False),
        ("https://api.github.com", "https://me:pw@api.github.com/x", False),
        ("https://api.github.com", "https://api.github.com:x/", False),
        ("http://ghe.example:8080/api/v3", "http://ghe.example:8080/api/v3/orgs", True),
        ("http://ghe.example:8080/api/v3", "http://ghe.example:8080/other", False),
        ("http://ghe.example:8080/api/v3", "http://ghe.example:8080/api/v30/x", False),
    ],
)
def test_the_origin_is_its_scheme_host_port_and_base(
    make_origin: MakeOrigin, base: str, url: str, *, owned: bool
) -> None:
    assert make_origin(base).owns(url) is owned


class TestRedirects:
    """Redirects are followed on GitHub, and not to other hosts."""

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_to_the_same_host_the_token_goes_along(
        self, github: FakeGitHub, make_origin: MakeOrigin, status: int
    ) -> None:
        github.configure(redirects={"/old": {"status": status, "url": "/orgs/Netflix"}})
        origin = make_origin(github.url, github_api_token=TOKEN)
        response = origin.get(origin.url_of("/old"))
        assert (response.status, response.url) == (200, github.url + "/orgs/Netflix")
        sent = [(seen["path"], seen["credential"]) for seen in github.recent()]
        assert sent == [("/old", credential_of(TOKEN)), ("/orgs/Netflix", credential_of(TOKEN))]

    @pytest.mark.parametrize(
        "address",
        [
            "{elsewhere}/orgs/Netflix",
            "//{elsewhere_host}/orgs/Netflix",
            "http://someone:secret@{host}/orgs/Netflix",
            "http://@{host}/orgs/Netflix",
            "http://{host}@{elsewhere_host}/orgs/Netflix",
            "http://{elsewhere_host}\\@{host}/orgs/Netflix",
            "http://169.254.169.254/latest/meta-data/",
            "http://[::1]/orgs/Netflix",
            "http://localhost:{port}/orgs/Netflix",
            "https://{host}/orgs/Netflix",
            "http://{host}:0x50/",
            "ftp://{host}/x",
            "file:///etc/passwd",
            "data:,{{}}",
            "http://[::1",
        ],
    )
    def test_to_anywhere_but_the_origin_are_refused_and_nobody_is_asked(
        self, github: FakeGitHub, elsewhere: FakeGitHub, make_origin: MakeOrigin, address: str
    ) -> None:
        host, elsewhere_host = (one.url.partition("://")[2] for one in (github, elsewhere))
        location = address.format(
            elsewhere=elsewhere.url,
            elsewhere_host=elsewhere_host,
            host=host,
            port=host.partition(":")[2],
        )
        github.fault("status", status=302, headers={"Location": location})
        origin = make_origin(github.url, github_api_token=TOKEN)
        error = refusal(lambda: origin.get(origin.url_of("/old")))
        assert error.kind is FailureKind.UNEXPECTED
        assert location not in error.reason
        assert [seen["path"] for seen in github.recent()] == ["/old"]
        assert elsewhere.counters()["total"] == 0

    def test_below_the_base_of_an_enterprise_server_are_followed_and_nowhere_else(
        self, make_origin: MakeOrigin
    ) -> None:
        with FakeGitHub(repos=1, members=1, prefix="/api/v3") as github:
            site = github.url.removesuffix("/api/v3")
            origin = make_origin(github.url)
            for place in ("/login", "/api/v3/../admin", "/api/v30/x"):
                github.clear_faults()
                github.fault("status", status=302, headers={"Location": site + place})
                with pytest.raises(OriginError):
                    origin.get(origin.url_of("/old"))
            assert {seen["path"] for seen in github.recent()} == {"/old"}

    def test_a_relative_address_is_one_below_the_first(
        self, github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        github.fault("status", status=302, times=1, headers={"Location": "Netflix"})
        origin = make_origin(github.url)
        assert origin.get(origin.url_of("/orgs/old")).url == github.url + "/orgs/Netflix"

    def test_a_renamed_repository_is_found(
        self, github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        name = github.repos()[0]["name"]
        renamed = github.mutate("rename", repo=name, to="anew")
        origin = make_origin(github.url)
        response = origin.get(origin.url_of(f"/repos/netflix/{name}"))
        assert json.loads(response.body)["full_name"] == renamed["full_name"] == "Netflix/anew"
        # The page that was requested, and not the first one.
        query = "?per_page=1&page=2"
        old, new = (f"/repos/netflix/{one}/commits{query}" for one in (name, "anew"))
        assert origin.get(origin.url_of(old)).body == origin.get(origin.url_of(new)).body

    def test_circles_are_left_after_a_few_rounds(
        self, github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        github.configure(redirects={"/old": {"status": 302, "url": "/old"}})
        origin = make_origin(github.url)
        error = refusal(lambda: origin.get(origin.url_of("/old")))
        assert (error.kind, error.status) == (FailureKind.UNEXPECTED, 302)
        assert github.page_requests("/old") == MAX_REDIRECTS + 1

    def test_a_redirect_to_nowhere_is_an_answer(
        self, github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        github.fault("status", status=302)
        origin = make_origin(github.url)
        assert origin.get(origin.url_of("/")).status == 302

    def test_a_link_that_is_none_is_refused(
        self, github: FakeGitHub, make_origin: MakeOrigin
    ) -> None:
        github.fault("slow", headers={"Link": '<http://[::1>; rel="next"'})
        origin = make_origin(github.url)
        assert refusal(lambda: origin.get(origin.url_of(LIST))).kind is FailureKind.UNEXPECTED


# fault, its options, the settings it is met with, what it is recognised as
FAULTS: list[tuple[str, dict[str, Any], dict[str, Any], FailureKind]] = [
    ("hang", {}, {"origin_read_timeout": 0.3}, FailureKind.TIMEOUT),
    ("hang", {"after_bytes": 2000}, {"origin_read_timeout": 0.3}, FailureKind.TIMEOUT),
    ("drip", {"piece": 300, "interval": 0.25}, {"origin_deadline": 0.3}, FailureKind.TIMEOUT),
    ("reset", {"before_headers": True}, {}, FailureKind.CONNECTION),
    ("reset", {"after_bytes": 300}, {}, FailureKind.CONNECTION),
    ("truncate", {}, {}, FailureKind.CONNECTION),
    ("truncate", {"after_bytes": 0}, {}, FailureKind.CONNECTION),
    ("cut_chunked", {}, {}, FailureKind.CONNECTION),
    ("huge", {"size": 300_000}, {"origin_max_bytes": 200_000}, FailureKind.TOO_LARGE),
]
FAULT_NAMES = [f"{kind}-{'-'.join(options)}" for kind, options, _, _ in FAULTS]


@pytest.mark.parametrize(("fault", "options", "settings", "kind"), FAULTS, ids=FAULT_NAMES)
def test_a_fault_is_recognised_and_the_next_answer_comes_through(
    github: FakeGitHub,
    make_origin: MakeOrigin,
    *,
    fault: str,
    options: dict[str, Any],
    settings: dict[str, Any],
    kind: FailureKind,
) -> None:
    github.fault(fault, times=1, path=LIST, **options)
    patient = {"origin_read_timeout": 3600, "origin_deadline": 3600}  # unless `settings` say less
    origin = make_origin(github.url, github_api_token=TOKEN, **{**patient, **settings})
    error = refusal(lambda: origin.get(origin.url_of(LIST)))
    assert error.kind is kind
    assert TOKEN not in "".join(traceback.format_exception(error)) + repr(error) + error.reason
    github.clear_faults()

    def next_answer() -> bytes | None:
        try:
            return origin.get(origin.url_of(LIST)).body
        except OriginError as late:
            if kind is FailureKind.TIMEOUT is late.kind:  # the machine is busy
                return None
            raise

    assert json.loads(eventually(next_answer)) == github.repos(role="owner")


def test_nobody_at_home_is_a_failed_connection(make_origin: MakeOrigin) -> None:
    origin = make_origin(f"http://127.0.0.1:{free_port()}", github_api_token=TOKEN)
    error = refusal(lambda: origin.get(origin.url_of("/")))
    assert (error.kind, error.status) == (FailureKind.CONNECTION, None)
    assert TOKEN not in "".join(traceback.format_exception(error))


def test_a_body_may_be_as_large_as_allowed_and_no_larger(
    github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    size = len(make_origin(github.url).get(github.url + LIST).body)
    exact = make_origin(github.url, origin_max_bytes=size)
    assert len(exact.get(github.url + LIST).body) == size
    tight = make_origin(github.url, origin_max_bytes=size - 1)
    error = refusal(lambda: tight.get(github.url + LIST))
    assert error.kind is FailureKind.TOO_LARGE
    assert "ORIGIN_MAX_BYTES" in error.reason


def test_the_size_that_counts_is_the_decompressed_one(
    github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    github.fault("huge", size=2_000_000)
    origin = make_origin(github.url, origin_max_bytes=100_000)
    assert refusal(lambda: origin.get(github.url + LIST)).kind is FailureKind.TOO_LARGE
    # What travelled was less than what is allowed.
    assert github.counters()["bytes_sent"] < 100_000


def test_an_answer_that_comes_too_late_is_given_up_by_the_stopwatch(
    github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    moments = {0: 1000.0, 1: 1060.001}  # by requests so far
    origin = make_origin(
        github.url, stopwatch=lambda: moments[github.counters()["total"]], origin_deadline=60
    )
    error = refusal(lambda: origin.get(github.url + LIST))
    assert error.kind is FailureKind.TIMEOUT


def test_redirects_share_one_deadline(github: FakeGitHub, make_origin: MakeOrigin) -> None:
    github.configure(redirects={"/old": {"url": "/orgs/Netflix"}})
    # By requests so far: the redirect comes in time, what it leads to does not.
    moments = {0: 1000.0, 1: 1059.0, 2: 1061.0}
    origin = make_origin(
        github.url, stopwatch=lambda: moments[github.counters()["total"]], origin_deadline=60
    )
    assert refusal(lambda: origin.get(github.url + "/old")).kind is FailureKind.TIMEOUT
    assert github.counters()["total"] == 2


def test_a_redirect_s_body_may_be_no_larger_than_any_other(
    github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    location = {"Location": github.url + "/orgs/Netflix"}
    github.fault("status", status=302, message="x" * 300_000, headers=location, times=1)
    origin = make_origin(github.url, origin_max_bytes=100_000)
    assert refusal(lambda: origin.get(github.url + "/old")).kind is FailureKind.TOO_LARGE


def test_a_compressed_answer_that_drips_from_its_first_byte_is_given_up_in_time(
    github: FakeGitHub, make_origin: MakeOrigin
) -> None:
    github.fault("drip", piece=1, interval=0.01)
    origin = make_origin(github.url, origin_deadline=0.05)
    begun = time.monotonic()
    assert refusal(lambda: origin.get(github.url + LIST)).kind is FailureKind.TIMEOUT
    assert time.monotonic() - begun < 0.6


def test_a_token_is_not_in_the_client_s_own_text(make_origin: MakeOrigin) -> None:
    origin: GitHubClient = make_origin("http://127.0.0.1:1", github_api_token=TOKEN)
    assert TOKEN not in repr(origin) + str(origin)

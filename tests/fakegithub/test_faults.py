"""The stand-in GitHub fails on demand, in each way that a server or a network can."""

import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakegithub.absurd_headers import HARMLESS, PAUSES
from tests.fakegithub.api import ask
from tests.fakegithub.client import FakeGitHub, FakeGitHubError
from tests.fakegithub.distortions import huge_list
from tests.fakegithub.faults import KINDS
from tests.http_client import Connection, ConnectionClosed, exchange, request
from tests.waiting import eventually

LIST = "/orgs/Netflix/repos?per_page=10"
NEXT = "/organizations/913567/repos?per_page=10&page="


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=25, members=5, anonymous_limit=10_000) as server:
        yield server


def hanging(github: FakeGitHub, count: int = 1) -> None:
    """Wait until `count` requests hang."""
    eventually(lambda: github.counters()["hanging"] == count, every=0.005)


@pytest.mark.parametrize("status", [400, 403, 404, 410, 429, 500, 502, 503, 504, 599])
def test_any_status_has_githubs_json(github: FakeGitHub, status: int) -> None:
    github.fault("status", status=status, headers={"Retry-After": "3", "Server": None})
    response = ask(github, LIST)
    assert (response.status, response.json["status"]) == (status, str(status))
    assert response.headers["retry-after"] == "3"
    assert "server" not in response.headers


@pytest.mark.parametrize("status", [200, 502])
def test_the_unicorn_page_is_html(github: FakeGitHub, status: int) -> None:
    github.fault("html", status=status)
    response = ask(github, LIST)
    assert (response.status, response.headers["content-type"]) == (
        status,
        "text/html; charset=utf-8",
    )
    assert b"Unicorn!" in response.body


def test_a_hanging_request_ends_without_a_response_when_faults_are_cleared(
    github: FakeGitHub,
) -> None:
    github.fault("hang")
    ended: list[BaseException] = []

    def wait() -> None:
        with pytest.raises(ConnectionClosed) as caught:
            ask(github, LIST)
        ended.append(caught.value)

    thread = threading.Thread(target=wait)
    thread.start()
    hanging(github)
    github.clear_faults()
    thread.join(60)
    assert len(ended) == 1
    hanging(github, 0)
    assert github.recent()[0]["status"] is None


def test_a_hanging_request_ends_when_its_client_leaves(github: FakeGitHub) -> None:
    github.fault("hang")
    with pytest.raises(TimeoutError):
        ask(github, LIST, timeout=0.05)
    hanging(github, 0)


def test_a_hang_may_begin_in_the_middle_of_the_response(github: FakeGitHub) -> None:
    github.fault("hang", after_bytes=15)
    with Connection(github.url) as connection:
        connection.send(request("/", User_Agent="t"))
        eventually(lambda: connection.take(20) < 0 or connection.buffered >= 15)
        hanging(github)
        assert connection.take(20) == 0
        assert connection.buffered == 15


def test_a_slow_response_is_the_right_one(github: FakeGitHub) -> None:
    github.fault("slow", delay=0.2)
    start = time.monotonic()
    assert ask(github, LIST).json == github.repos()[:10]
    assert time.monotonic() - start >= 0.2


def test_a_dripping_body_comes_in_pieces(github: FakeGitHub) -> None:
    right = ask(github, "/orgs/Netflix").body
    github.fault("drip", piece=len(right) // 4, interval=0.02)
    start = time.monotonic()
    assert ask(github, "/orgs/Netflix").body == right
    assert time.monotonic() - start >= 0.06


def test_a_reset_breaks_the_body_off(github: FakeGitHub) -> None:
    github.fault("reset", times=1)
    github.fault("reset", before_headers=True)
    for _ in range(2):
        with pytest.raises(ConnectionClosed) as caught:
            ask(github, LIST)
        assert isinstance(caught.value.__cause__, ConnectionResetError)


def test_a_truncated_body_is_shorter_than_its_content_length(github: FakeGitHub) -> None:
    github.fault("truncate", after_bytes=100)
    with pytest.raises(ConnectionClosed) as caught:
        ask(github, LIST)
    head, _, body = caught.value.args[0].partition(b"\r\n\r\n")
    assert re.search(rb"Content-Length: [0-9]{4,}\b", head)
    assert len(body) == 100


def test_a_chunked_body_may_lack_its_end(github: FakeGitHub) -> None:
    github.fault("cut_chunked")
    with pytest.raises(ConnectionClosed) as caught:
        ask(github, LIST)
    assert b"\r\nTransfer-Encoding: chunked\r\n" in caught.value.args[0]


def test_an_unframed_body_ends_with_the_connection(github: FakeGitHub) -> None:
    right = ask(github, LIST).body
    github.fault("unframed", times=1)
    github.fault("unframed", after_bytes=50)
    whole, cut = ask(github, LIST), ask(github, LIST)
    assert not {"content-length", "transfer-encoding"} & set(whole.headers)
    assert (whole.body, cut.body) == (right, right[:50])


def test_garbage_is_200_and_json_by_its_type_alone(github: FakeGitHub) -> None:
    github.fault("garbage")
    response = ask(github, LIST, {"User-Agent": "curl/8", "Accept-Encoding": "gzip"})
    assert (response.status, response.headers["content-type"][:16]) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        _ = response.json


def test_an_empty_body_is_200(github: FakeGitHub) -> None:
    github.fault("empty")
    response = ask(github, LIST, {"Accept-Encoding": "gzip"})
    assert (response.status, response.body, response.headers["content-length"]) == (200, b"", "0")


def test_a_wrong_shape_is_an_object_for_a_list_and_a_list_for_an_object(
    github: FakeGitHub,
) -> None:
    github.fault("wrong_shape")
    assert isinstance(ask(github, LIST).json, dict)
    assert ask(github, "/orgs/Netflix").json == [github.org()]


@pytest.mark.parametrize("size", [2_000, 100_000, 1_234_567])
def test_a_huge_list_is_valid_and_as_long_as_asked(size: int) -> None:
    body = huge_list(size)
    assert len(body) == size
    assert isinstance(json.loads(body), list)


def test_a_spoilt_body_is_never_a_304(github: FakeGitHub) -> None:
    github.fault("huge", size=5_000)
    tag = ask(github, LIST).headers["etag"]
    response = ask(github, LIST, {"If-None-Match": tag})
    assert (response.status, len(response.body)) == (200, 5_000)


def test_the_primary_limit_can_be_exhausted_by_order(github: FakeGitHub) -> None:
    github.fault("ratelimited", reset_in=30)
    response = ask(github, LIST, token="t")
    assert response.status == 403
    assert response.json["message"].startswith("API rate limit exceeded for user ID")
    assert response.headers["x-ratelimit-remaining"] == "0"
    assert response.headers["x-ratelimit-used"] == "5000"
    assert 28 <= int(response.headers["x-ratelimit-reset"]) - time.time() <= 30
    sbom = ask(github, "/repos/Netflix/Hystrix/dependency-graph/sbom", token="t").headers
    assert sbom["x-ratelimit-resource"] == "dependency_sbom"
    assert (sbom["x-ratelimit-remaining"], sbom["x-ratelimit-used"]) == ("0", "100")


def test_the_secondary_limit_can_be_exceeded_by_order(github: FakeGitHub) -> None:
    github.fault("secondary", retry_after=5, times=1)
    github.fault("secondary", retry_after=None, status=403)
    first, second = ask(github, LIST), ask(github, LIST)
    assert (first.status, first.headers["retry-after"]) == (429, "5")
    assert (second.status, "retry-after" in second.headers) == (403, False)
    assert int(second.headers["x-ratelimit-remaining"]) > 0


def test_a_link_may_lead_to_another_host(github: FakeGitHub) -> None:
    github.fault("foreign_link", url="http://localhost:1", path=r"per_page=10$")
    links = ask(github, LIST).links
    assert links["next"] == f"http://localhost:1{NEXT}2"
    assert links["last"] == f"{github.url}{NEXT}3"


def test_a_link_may_lead_round_in_a_circle(github: FakeGitHub) -> None:
    github.fault("link_loop")
    for path in (LIST, f"{NEXT}3", "/orgs/Netflix/members"):
        assert ask(github, path).links["next"].endswith("page=1")


def test_faults_are_limited_to_paths_a_method_and_a_number(
    github: FakeGitHub,
) -> None:
    github.fault("status", path=r"/repos\?.*page=2", method="GET", after=1, times=2)
    statuses = [ask(github, f"{NEXT}2").status for _ in range(4)]
    assert statuses == [200, 500, 500, 200]
    github.fault("status", path=r"^/orgs", method="HEAD")
    assert ask(github, "/orgs/Netflix").status == 200
    assert ask(github, "/orgs/Netflix", method="HEAD").status == 500
    assert github.counters()["faults"] == {"status": 3}


def test_a_fault_costs_no_points_but_a_spoilt_response_does(github: FakeGitHub) -> None:
    github.fault("status", times=1)
    github.fault("garbage", times=1)
    ask(github, LIST)
    assert github.counters()["points"] == 0
    ask(github, LIST)
    assert github.counters()["points"] == 1


@pytest.mark.parametrize(
    "order",
    [
        {"kind": "nope"},
        {"kind": "hang", "size": 3},
        {"kind": "status", "path": "("},
    ],
)
def test_an_invalid_fault_is_refused(github: FakeGitHub, order: dict[str, str]) -> None:
    with pytest.raises(FakeGitHubError):
        github.fault(**order)


def test_absurd_headers_come_in_turn_with_the_right_response(github: FakeGitHub) -> None:
    right = ask(github, LIST)
    github.fault("absurd_headers")
    found = [ask(github, LIST) for _ in range(2 * len(HARMLESS))]
    assert {one.json == right.json for one in found} == {True}
    assert {"-1", "NaN", ""} < {one.headers["x-ratelimit-remaining"] for one in found}
    assert {"999999999999", "-1"} < {one.headers.get("retry-after") for one in found}
    github.clear_faults()
    github.fault("absurd_pauses")
    tag = right.headers["etag"]
    assert ask(github, LIST, {"If-None-Match": tag}).status == 304
    assert {ask(github, LIST).headers["x-ratelimit-remaining"] for _ in PAUSES} == {"0", "1"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_server_is_well_again_after_each_fault(github: FakeGitHub, kind: str) -> None:
    small: dict[str, dict[str, Any]] = {
        "drip": {"piece": 3000, "interval": 0.001},
        "huge": {"size": 5000},
    }
    github.fault(kind, times=1, **small.get(kind, {}))
    with contextlib.suppress(OSError):
        ask(github, LIST, timeout=0.3 if kind == "hang" else 60)
    if kind == "hang":
        eventually(lambda: github.counters()["faults"])
    assert ask(github, LIST).json == github.repos()[:10]


def test_clients_that_leave_cause_no_output(
    github: FakeGitHub, capfd: pytest.CaptureFixture[str]
) -> None:
    github.fault("huge", size=5_000_000)
    for data in (b"", b"GET / HT", b"nonsense\r\n\r\n", b"GET /orgs/a/repos HTTP/1.1\r\n\r\n"):
        with Connection(github.url, timeout=5) as connection:
            connection.send(data)
    github.clear_faults()
    github.fault("slow", delay=60)  # or until the end
    with pytest.raises(TimeoutError):
        ask(github, LIST, timeout=0.02)
    github.stop()
    assert capfd.readouterr() == ("", "")


def test_a_malformed_request_is_400(github: FakeGitHub) -> None:
    (response,) = exchange(github.url, b"GET / HTTP/1.1\r\nno colon\r\n\r\n")
    assert (response.status, response.json["message"]) == (400, "Bad Request")


def test_a_connection_is_kept_until_it_idles(github: FakeGitHub) -> None:
    github.configure(idle_timeout=0.1)
    with Connection(github.url, timeout=5) as connection:
        for _ in range(3):
            assert connection.ask("/", User_Agent="t").status == 200
        assert connection.is_closed()

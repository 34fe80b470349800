"""The pure parts of the measurement of misses, its stand-in GitHub, and one short run of it all."""

import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from bench.figures import Spread
from bench.misses import caches, load, plot
from bench.misses.caches import Upstream
from bench.misses.figures import (
    AtOrigin,
    Place,
    Sample,
    most_overtaken,
    ratio,
    sample_of,
    share_of_time,
    spread,
    times_above,
)
from bench.misses.large_list import Organisation
from bench.misses.load import Load, Loaded, Request, outcome_of
from bench.misses.measure import (
    ONE_PATH,
    QUIET,
    THIRTY_TWO,
    WITH_LIST,
    Plan,
    Results,
    Scenario,
    measure,
)
from bench.misses.origin_process import OriginProcess, Seen
from bench.misses.report import from_json, rate, tables, targets, to_json
from bench.misses.servers import LIMIT, NAMES, NGINX, OURS, VARNISH, connections_of_the_limit
from bench.misses.small_bodies import body_of, path_of
from bench.programs import find
from tests.http_client import Connection

LIST = "/orgs/Netflix/repos"


def make_sample(**known: Any) -> Sample:
    """A sample of ours without failures."""
    fields: dict[str, Any] = {
        "round": 0, "phase": QUIET, "scenario": THIRTY_TWO.name, "server": OURS, "right": 200,
        "failures": {}, "per_second": 100.0, "p50": 210.0, "p99": 220.0, "above_p50": 5.0,
        "above_p99": 9.0, "overtaken": 0, "asked": 200, "not_modified": 0, "at_once": 32,
        "connections": 0, "handshakes": 0, "list_share": 0.0, "cpu": {"reader": 0.1},
        **known,
    }  # fmt: skip
    return Sample(**fields)


def make_request(number: int = 2, *, sent: float = 0.0, took: float = 0.2, **known: Any) -> Request:
    """A request with the right response."""
    return Request(path_of(number), sent, sent + took, known.get("outcome", "200"))


def response(body: bytes | None, *, status: int = 200, length: int | None = None) -> bytes:
    """The bytes of a response."""
    body = body or b""
    size = len(body) if length is None else length
    return b"HTTP/1.1 %d X\r\nA: b\r\nContent-Length: %d\r\n\r\n%s" % (status, size, body)


class TestSmallBodies:
    def test_each_path_has_a_body_of_its_own_that_names_it(self) -> None:
        bodies = [json.loads(body_of(path_of(number)) or b"") for number in range(10)]
        assert [body["full_name"] for body in bodies[0::2]] == [f"o/r{n}" for n in range(0, 10, 2)]
        assert [body["login"] for body in bodies[1::2]] == [f"u{n}" for n in range(1, 10, 2)]
        assert bodies[0]["url"] == "https://api.github.com/repos/o/r0"

    @pytest.mark.parametrize("path", ["/repos/o/r", "/repos/o/rx", "/users/u1/repos", "/", "/u1"])
    def test_other_paths_have_none(self, path: str) -> None:
        assert body_of(path) is None


class TestLargeList:
    def test_has_pages_with_links(self) -> None:
        made = Organisation(250)
        pages = [made.response(f"{LIST}?per_page=100&page={n}", "http://x") for n in (1, 2, 3)]
        assert [len(json.loads(page[0])) for page in pages if page] == [100, 100, 50]
        assert [page is not None and 'rel="next"' in (page[1] or "") for page in pages] == [
            True,
            True,
            False,
        ]

    def test_a_change_touches_one_page(self) -> None:
        made = Organisation(250)

        def pages() -> list[bytes]:
            found = [made.response(f"{LIST}?per_page=100&page={n}", "http://x") for n in (1, 2, 3)]
            return [page[0] for page in found if page]

        before = pages()
        made.change()
        assert sum(old != new for old, new in zip(before, pages(), strict=True)) == 1

    def test_there_is_nothing_else(self) -> None:
        assert Organisation(1).response("/orgs/Other/repos", "http://x") is None


class TestOutcome:
    PATH = path_of(2)
    BODY = body_of(path_of(2))

    @pytest.mark.parametrize(
        ("received", "outcome"),
        [
            (response(BODY), "200"),
            (response(BODY)[:-1], None),
            (response(BODY)[:30], None),
            (b"", None),
            (response(body_of(path_of(4))), "wrong body"),
            (response(BODY) + b"x", "wrong body"),
            (response(b"", length=0), "wrong body"),
            (response(b"{}", status=503), "503"),
            (response(b"{}", status=429), "429"),
            (b"HTTP/1.1 200 OK\r\n\r\n", "no length"),
        ],
    )
    def test_is_that_of_status_and_body(self, received: bytes, outcome: str | None) -> None:
        assert outcome_of(received, self.PATH) == outcome


class TestFigures:
    def test_above_the_origin_counts_what_was_requested_once(self) -> None:
        requests = [
            make_request(2, took=0.205),
            make_request(4, took=0.3),
            make_request(4, took=0.3),
            make_request(6, took=0.3, outcome="503"),
            make_request(8, took=0.3),  # the origin sent it twice
            make_request(10, took=0.001),  # the origin did not send it
        ]
        seen = [Seen(path_of(n), 5.0, 5.2, 200) for n in (2, 4, 6, 8, 8)]
        assert times_above(requests, seen) == pytest.approx([5.0])

    def test_overtaken_is_what_was_sent_later_and_was_done_before(self) -> None:
        in_order = [make_request(n, sent=n / 10) for n in range(5)]
        assert most_overtaken(in_order) == 0
        assert most_overtaken([replace(in_order[0], done=9.0), *in_order[1:]]) == 4
        assert most_overtaken([replace(in_order[0], sent=0.09, done=9.0), in_order[1]]) == 0
        assert most_overtaken([]) == 0

    def test_the_share_of_the_time_counts_no_moment_twice(self) -> None:
        seen = [Seen("", 0.0, 2.0, 200), Seen("", 1.5, 2.5, 200), Seen("", 4.0, 9.0, 200)]
        assert share_of_time(seen, 1.0, 5.0) == pytest.approx((1.5 + 1.0) / 4)
        assert share_of_time([], 1.0, 5.0) == 0

    def test_a_sample_counts_right_responses_only(self) -> None:
        requests = [make_request(n, took=0.2) for n in range(4)]
        requests.append(make_request(4, took=0.5, outcome="503"))
        seen = [Seen(path_of(0), 0.0, 0.19, 200), Seen(path_of(1), 0.0, 0.19, 304)]
        made = sample_of(
            Place(0, QUIET, THIRTY_TWO.name, OURS),
            Loaded(requests, 0.01),
            AtOrigin(seen, [], at_once=2, connections=1, handshakes=0),
            cpu={"reader": 0.2},
        )
        assert (made.right, made.failures, made.asked, made.not_modified) == (4, {"503": 1}, 2, 1)
        assert made.per_second == pytest.approx(4 / 0.5)
        assert made.p50 == pytest.approx(200)
        assert made.above_p50 == pytest.approx(10)
        assert made.cpu == {"reader": 0.2, "load": 0.01}

    def test_ratios_are_taken_within_a_round(self) -> None:
        samples = [
            make_sample(per_second=50.0),
            make_sample(per_second=100.0, server=NGINX),
            make_sample(round=1, per_second=90.0),
            make_sample(round=1, per_second=100.0, server=NGINX),
            make_sample(round=2, per_second=1.0),
        ]
        ours, nginx = ((QUIET, THIRTY_TWO.name, name) for name in (OURS, NGINX))
        assert ratio(samples, rate, of=ours, to=nginx) == Spread(0.7, 0.5, 0.9)
        assert ratio(samples, rate, of=ours, to=(WITH_LIST, THIRTY_TWO.name, NGINX)) is None
        assert spread(samples, rate, ours) == Spread(50, 1, 90)


class TestReport:
    def test_a_target_is_met_missed_or_not_measured(self) -> None:
        samples = [make_sample(), make_sample(per_second=110.0, server=NGINX)]
        to_nginx, to_varnish = targets(samples)[:2]
        assert to_nginx.is_met
        assert to_nginx.measured == pytest.approx(1 / 1.1)
        assert (to_varnish.measured, to_varnish.is_met) == (None, False)
        slow = [make_sample(per_second=50.0), make_sample(server=NGINX)]
        assert not targets(slow)[0].is_met

    def test_failures_miss_a_target(self) -> None:
        assert targets([make_sample()])[-1].is_met
        assert not targets([make_sample(failures={"503": 1})])[-1].is_met

    def test_the_tables_show_each_part_that_was_measured(self) -> None:
        samples = [make_sample(server=name, failures={"429": 3}) for name in NAMES]
        shown = tables(Results(samples, {"reader": 2, "refresher": 2}))
        assert "2 readers, 2 refreshers" in shown
        assert "| 32 clients | 1.00 | 1.00 | 1.00 |" in shown
        assert "3 429" in shown
        assert "8 clients |" not in shown

    def test_a_file_holds_the_results(self) -> None:
        results = Results([make_sample(), make_sample(p50=None, server=LIMIT)], {"reader": 2})
        assert from_json(to_json(results)) == results

    def test_the_plot_is_a_png(self, tmp_path: Path) -> None:
        samples = [make_sample(server=name) for name in NAMES]
        plot.draw(samples, tmp_path / "misses.png")
        assert (tmp_path / "misses.png").read_bytes().startswith(b"\x89PNG")


def test_the_limit_has_the_connections_that_the_defaults_leave_on_demand() -> None:
    assert 1 <= connections_of_the_limit() < 90


def test_other_caches_are_told_where_the_origin_is(tmp_path: Path) -> None:
    upstream = Upstream(1234, tmp_path / "ca.pem", secure=True, lifetime=2.0)
    caches.nginx(Path("nginx"), tmp_path / "nginx", port=99, upstream=upstream)
    text = (tmp_path / "nginx" / "nginx.conf").read_text()
    assert "proxy_pass https://origin" in text
    assert "server 127.0.0.1:1234;" in text
    assert "proxy_cache_valid 200 2s;" in text
    caches.varnish(Path("varnishd"), tmp_path / "varnish", port=99, upstream=upstream)
    assert '.port = "1234"' in (tmp_path / "varnish" / "origin.vcl").read_text()


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OriginProcess]:
    """A stand-in GitHub for the tests of this module."""
    with OriginProcess(tmp_path_factory.mktemp("origin"), repositories=150) as made:
        yield made


class TestOrigin:
    def test_serves_each_client_after_its_delay_and_logs_it(self, origin: OriginProcess) -> None:
        origin.delay(0.1)
        origin.log()
        loaded = load.run(Load(origin.port, 8, 0, 24, 24, seconds=20, addresses=3))
        seen, log = origin.log()
        assert [one.outcome for one in loaded.requests] == ["200"] * 24
        assert all(one.done - one.sent >= 0.1 for one in loaded.requests)
        assert sorted(one.target for one in seen) == sorted(path_of(n) for n in range(24))
        assert all(one.left - one.arrived >= 0.1 for one in seen)
        assert (log.most_at_once, log.connections, log.handshakes) == (8, 9, 0)

    def test_counts_tls_handshakes(self, origin: OriginProcess) -> None:
        origin.log()
        trusting = ssl.create_default_context(cafile=origin.authority.file)
        for _ in range(2):
            with urlopen(f"{origin.secure_url}{path_of(2)}", context=trusting) as found:
                assert found.read() == body_of(path_of(2))
        assert origin.log()[1].handshakes == 2

    def test_revalidates_and_says_what_it_does_not_have(self, origin: OriginProcess) -> None:
        origin.delay(0)
        with Connection(origin.url) as connection:
            page = connection.ask(f"{LIST}?per_page=100")
            tag = page.headers["etag"]
            assert connection.ask(f"{LIST}?per_page=100", If_None_Match=tag).status == 304
            assert page.headers["link"].startswith("<http://cache.test/organizations/")
            assert connection.ask("/nothing").status == 404
            zipped = connection.ask(path_of(2), Accept_Encoding="gzip")
            assert zipped.headers["content-encoding"] == "gzip"

    def test_a_change_gives_the_list_another_etag(self, origin: OriginProcess) -> None:
        origin.delay(0)
        tags = []
        with Connection(origin.url) as connection:
            for _ in range(2):
                pages = [connection.ask(f"{LIST}?per_page=100&page={n}") for n in (1, 2)]
                tags.append([page.headers["etag"] for page in pages])
                origin.change()
        assert tags[0] != tags[1]


@pytest.mark.timeout(200)
def test_a_short_run_measures_ours_beside_nginx() -> None:
    few = Scenario("32 clients", 4, 12, 12)
    plan = Plan(
        rounds=1, scenarios=(few, replace(ONE_PATH, clients=8, requests=8)), secure_rounds=0,
        repositories=250,
    )  # fmt: skip
    nginx = find("nginx")
    results = measure(plan, {} if nginx is None else {"nginx": nginx})
    names = {OURS, LIMIT} | ({NGINX} if nginx else set())
    assert {one.server for one in results.samples} == names
    assert VARNISH not in names
    assert {one.phase for one in results.samples} == {QUIET, WITH_LIST}
    assert [one.failures for one in results.samples] == [{}] * len(results.samples)
    paths = [one for one in results.samples if one.scenario == ONE_PATH.name]
    assert {one.asked for one in paths} == {1}
    refreshed = [one.list_share for one in results.samples if one.phase == WITH_LIST]
    assert max(refreshed) > 0

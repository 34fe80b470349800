"""The pure parts of the soak, and one short run of all of it."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench.load_process import CHECKOUT
from bench.pages import END, begin_of
from bench.soak.figures import Request, Times, by_phase, errors, keeps_growing, ratios
from bench.soak.report import COMMAND, Plan, Soak, wrong
from bench.soak.request_mix import COLD, HELD, Draw, kinds
from bench.soak.samples import Held, Sample
from bench.soak.shape import HOUR, PAIRS, WITH, WITHOUT, Shape

SHAPE = Shape(minutes=5, rate=400)


def make_request(due: float = 1.0, **known: Any) -> Request:
    """A request with a quick response."""
    fields: dict[str, Any] = {
        "took": 0.001,
        "noticed": 0.0,
        "kind": "small",
        "group": HELD,
        "outcome": "200",
        **known,
    }
    return Request(due, **fields)


def make_soak(**known: Any) -> Soak:
    """A soak without problems."""
    slow_clients = {
        "whole": 3,
        "cut": [],
        "given_up": 2,
        "not_given_up": 0,
        "sent_away": [[40.0, 15.5, 408]],
        "left": {"in a request": 1, "in a response": 1},
    }
    fields: dict[str, Any] = {
        "plan": Plan(),
        "requests": [make_request()],
        "counts": {"connections turned away": 0},
        "samples": [],
        "files_before": 40,
        "files_after": 41,
        "up_to_date": True,
        **known,
    }
    fields["slow_clients"] = {**slow_clients, **fields.get("slow_clients", {})}
    return Soak(**fields)


class TestShape:
    def test_it_is_an_hour(self) -> None:
        assert sum(stretch.minutes for stretch in HOUR) == 60
        assert SHAPE.seconds == pytest.approx(300)
        assert SHAPE.compressed(600) == pytest.approx(50)

    def test_a_rate_changes_evenly(self) -> None:
        climb = SHAPE.placed[0]
        assert SHAPE.rate(0) == pytest.approx(0.2 * 400)
        assert SHAPE.rate((climb.begin + climb.end) / 2) == pytest.approx(0.4 * 400)
        assert SHAPE.rate(-1) == SHAPE.rate(301) == 0

    def test_no_two_stretches_overlap_and_none_is_left_out(self) -> None:
        assert all(one.end == next_.begin for one, next_ in pairwise(SHAPE.placed))

    def test_as_many_arrive_as_the_rate_says(self) -> None:
        arrivals = list(SHAPE.arrivals(Random(7)))
        assert arrivals == sorted(arrivals)
        found = Counter(SHAPE.phase(at) for at in arrivals)
        assert found["outage"] == pytest.approx(400 * 50, rel=0.05)
        assert found["lull"] == pytest.approx(80 * 20, rel=0.15)
        # Independent of each other: gaps of all lengths, where even ones would be all alike.
        gaps = [b - a for a, b in pairwise(arrivals) if SHAPE.phase(a) == "outage"]
        assert min(gaps) < 0.0002
        assert max(gaps) > 0.01

    def test_slow_clients_are_connected_in_with_and_not_in_without(self) -> None:
        def are_about(at: float) -> bool:
            return any(begin <= at < end for begin, end in SHAPE.slow_clients())

        assert len(SHAPE.windows(WITH)) == len(SHAPE.windows(WITHOUT)) == PAIRS
        assert all(are_about((begin + end) / 2) for begin, end in SHAPE.windows(WITH))
        assert not any(are_about((begin + end) / 2) for begin, end in SHAPE.windows(WITHOUT))


class TestRequestMix:
    def test_weights_are_shares(self) -> None:
        assert sum(kind.weight for kind in kinds('"x"')) == pytest.approx(1)

    def test_kinds_are_drawn_by_weight(self) -> None:
        among = kinds('"x"')
        draw = Draw(among, Random(1))
        found = Counter(among[draw.next()].name for _ in range(10_000))
        assert found["small"] == pytest.approx(4000, rel=0.1)
        assert found["cold"] < 100

    def test_each_cold_name_is_another(self) -> None:
        cold = kinds('"x"')[-1]
        assert cold.group == COLD
        assert cold.request(80, 1) != cold.request(80, 2)


class TestFigures:
    def test_percentiles_are_of_nearest_rank_and_in_milliseconds(self) -> None:
        times = Times.of([make_request(took=n / 1000) for n in range(1, 1001)])
        assert times == Times(1000, 500, 990, 999, 1000, 0)
        assert Times.of([]) is None

    def test_a_request_belongs_to_the_phase_in_which_it_was_due(self) -> None:
        end = SHAPE.phases()["climb"][1]
        found = by_phase([make_request(end - 0.1, took=9.0), make_request(end)], SHAPE)
        assert (len(found["climb"]), len(found["crowd"])) == (1, 1)
        assert list(found) == list(SHAPE.phases())

    def test_a_cold_name_may_be_refused_and_held_content_may_not(self) -> None:
        requests = [
            make_request(outcome="503"),
            make_request(outcome="503", group=COLD, kind="cold"),
            make_request(outcome="cut off", group=COLD, kind="cold"),
            make_request(outcome="304", kind="304"),
        ]
        assert errors(requests) == {"small: 503": 1, "cold: cut off": 1}

    def test_ratios_are_of_neighbouring_windows_without_their_begins(self) -> None:
        requests = []
        for number, (without, with_) in enumerate(
            zip(SHAPE.windows(WITHOUT), SHAPE.windows(WITH), strict=True)
        ):
            slowness = 0.001 * (number + 1)  # the machine is slower and slower
            requests += [make_request(without[1] - 1, took=slowness)]
            requests += [make_request(with_[1] - 1, took=2 * slowness)]
            requests += [make_request(with_[0] + 0.1, took=9.0)]  # they are just coming
        found = ratios(requests, SHAPE)
        assert found["p99"].least == pytest.approx(2)
        assert found["p99"].most == pytest.approx(2)

    @pytest.mark.parametrize(
        ("megabytes", "grows"),
        [
            pytest.param([50 + 0.2 * at for at in range(200)], True, id="a leak"),
            pytest.param([60 + at % 7 for at in range(200)], False, id="up and down"),
            pytest.param([50] * 80 + [70] * 120, False, id="once"),
            pytest.param([min(at, 40) for at in range(1, 201)], False, id="at the begin"),
            pytest.param([50 + 9 * at for at in range(20)], False, id="too short"),
        ],
    )
    def test_a_leak_differs_from_content_that_is_loaded_once(
        self, megabytes: Sequence[float], grows: bool
    ) -> None:
        assert keeps_growing([int(1_000_000 * size) for size in megabytes]) is grows


class TestProblems:
    def test_a_good_run_has_none(self) -> None:
        assert wrong(make_soak()) == []

    @pytest.mark.parametrize(
        ("known", "words"),
        [
            ({"requests": [make_request(outcome="500")]}, "1 x small: 500"),
            ({"counts": {"connections turned away": 4}}, "4 x connection turned away with 503"),
            ({"files_after": 400}, "400 files open at the end"),
            ({"slow_clients": {"cut": [[30.0, 31.0]]}}, "1 slow readers were cut short"),
            ({"slow_clients": {"not_given_up": 3}}, "3 stalled clients"),
            ({"slow_clients": {"sent_away": [[90.0, 31.0, 0]]}}, "tolerated for 31 s"),
            ({"up_to_date": False}, "do not serve GitHub's content"),
            (
                {"requests": [make_request(took=1.2, kind="/livez", group="health")]},
                "p99 of health checks is 1200 ms",
            ),
            (
                {
                    "samples": [
                        Sample(at, {"7": Held(10**8 + at * 10**6, 9, 9)}, None, 0, {})
                        for at in range(100)
                    ]
                },
                "memory of process 7 keeps growing",
            ),
        ],
    )
    def test_are_named(self, known: dict[str, Any], words: str) -> None:
        (found,) = wrong(make_soak(**known))
        assert words in found

    def test_a_reload_may_cut_slow_readers_short(self) -> None:
        reload = SHAPE.phases()["reload"][0]
        assert wrong(make_soak(slow_clients={"cut": [[reload - 9, reload + 30]]})) == []
        assert wrong(make_soak(slow_clients={"cut": [[reload - 9, reload - 1]]})) != []
        assert wrong(make_soak(slow_clients={"cut": [[reload + 20, reload + 30]]})) != []


@pytest.mark.timeout(300)  # half a minute, but on a machine that does other things
def test_a_quick_soak_survives_its_hour(tmp_path: Path) -> None:
    (tmp_path / "soak.md").write_text(f"{begin_of(COMMAND)}\n{END}\n")
    ran = subprocess.run(
        [sys.executable, "-m", "bench.soak", "--quick", "--write", str(tmp_path)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Nothing went wrong." in ran.stdout
    found = json.loads((tmp_path / "soak.json").read_text())
    assert found["wrong"] == []
    assert all(times["requests"] > 0 for times in found["phases"].values())
    assert set(found["ratios"]) == {"p50", "p99", "p999"}
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")
    assert "| outage |" in (tmp_path / "soak.md").read_text()

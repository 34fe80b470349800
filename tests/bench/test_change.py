"""The pure parts of the measurement of a change, the code of before, and a short run."""

from pathlib import Path
from typing import Any

import pytest

from bench.change import plot, probes
from bench.change.before import checkout_of
from bench.change.figures import CHANGED, FIRST, NOTHING, ONES, STEADY, Node, Plan, Results, Sample
from bench.change.measure import lags, measure
from bench.change.report import BEFORE, NOW, from_json, tables, targets, to_json
from bench.change.watching import Shown
from bench.cores import Cores
from bench.load_process import CHECKOUT


def make_sample(**known: Any) -> Sample:
    """One changed repository of 7,000."""
    fields: dict[str, Any] = {
        "code": NOW, "repositories": 7000, "event": CHANGED, "requests": 1.0, "points": 1.0,
        "cpu": 0.05, "memory": 9_000_000, "sent": 40_000.0, "visible": 0.2, "p99": 1.0,
        "longest": 4.0, **known,
    }  # fmt: skip
    return Sample(**fields)


def make_results() -> Results:
    """All events, at two sizes, now and before."""
    samples = [
        make_sample(event=event, repositories=size, code=code)
        for event in (FIRST, *ONES, STEADY)
        for size in (250, 7000)
        for code in (NOW, BEFORE)
    ]
    node = Node(NOW, 7000, size=40_000_000, memory=50_000_000, p99=1.0, longest=3.0)
    return Results(samples, [node])


class TestTargets:
    def test_all_are_met_by_figures_that_are_flat(self) -> None:
        assert {one.met for one in targets(make_results())} == {"yes"}

    def test_the_worst_round_counts_for_stalls_and_memory_and_the_median_for_the_rest(self) -> None:
        rounds = [make_sample(longest=value, cpu=value / 100) for value in (1.0, 4.0, 9.0)]
        measured = {one.what: one.measured for one in targets(Results(rounds, []))}
        assert measured["longest stall of small hits at 7,000, ms"] == 9.0
        assert measured["refresher CPU at 7,000, s"] == 0.04

    def test_what_was_not_measured_is_not_met(self) -> None:
        assert {one.met for one in targets(Results([], []))} == {"not measured"}

    def test_a_ratio_above_its_bound_is_not_met(self) -> None:
        samples = [make_sample(repositories=250, cpu=0.01), make_sample(cpu=0.09)]
        met = {one.what: one.met for one in targets(Results(samples, []))}
        assert met["refresher CPU at 7,000, s"] == "yes"
        assert met["refresher CPU at 7,000 to that at 250"] == "no"


class TestLags:
    def test_a_change_is_served_when_the_last_process_serves_it_or_a_later_one(self) -> None:
        delivered = {"o/a": 1.0, "o/b": 2.0, "o/c": 3.0}
        quick = [(0.9, "o/x"), (1.1, "o/a"), (2.1, "o/b"), (3.1, "o/c")]
        slow = [(1.4, "o/a"), (3.4, "o/c")]
        seen = [[(when, Shown("", (name,))) for when, name in one] for one in (quick, slow)]
        assert lags(delivered, seen) == pytest.approx([0.4, 1.4, 0.4])


class TestReport:
    def test_a_results_file_gives_the_same_tables(self) -> None:
        results = make_results()
        again = from_json(to_json(results))
        assert tables(again, Plan()) == tables(results, Plan())
        assert "| 7,000 | before | 1.00 |" in tables(results, Plan())

    def test_draws_a_png_with_and_without_what_was_before(self, tmp_path: Path) -> None:
        results = make_results()
        now = [one for one in results.samples if one.code == NOW]
        for number, samples in enumerate((results.samples, now)):
            path = tmp_path / f"{number}.png"
            plot.draw(Results(samples, []), path)
            assert path.read_bytes().startswith(b"\x89PNG")


def test_a_process_knows_its_own_cpu_and_memory() -> None:
    pid = int(Path("/proc/self").readlink().name)
    before = probes.cpu_seconds(pid)
    sum(range(100_000))
    assert probes.cpu_seconds(pid) > before
    probes.forget_peak(pid)
    now, peak = probes.memory(pid)
    assert 0 < now <= peak
    assert probes.proportional([pid]) > 0


def test_a_revision_that_git_does_not_have_is_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    with checkout_of("0" * 40) as before:
        assert before is None
    assert "Skipping" in capsys.readouterr().out


def test_a_short_run_finds_what_one_change_costs() -> None:
    plan = Plan(sizes=(250,), rounds=1, seconds=2)
    results = measure(plan, {NOW: CHECKOUT}, Cores.share_out())
    samples = {one.event: one for one in results.samples}
    assert [*samples] == [FIRST, *ONES, STEADY]
    # On a busy machine the look after a second may be among them: a 304. The list has three pages.
    assert samples[CHANGED].points == 1
    assert samples[CHANGED].requests in {1, 2}
    assert samples[NOTHING].points == 0
    assert {one.visible is None for one in results.samples if one.event != NOTHING} == {False}
    assert all(one.cpu > 0 for one in results.samples)
    assert samples[FIRST].memory > 0  # for less, what was free before may be enough

"""The tables of `make bench`."""

import pytest

from bench import tables
from bench.results import Latency, Results, throughput_from_json
from bench.servers import FLASK, NGINX, NGINX_TUNED, OURS, OURS_MOUNTED
from tests.bench.test_figures import make_sample


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0421, "0.042"), (0.5, "0.50"), (1.234, "1.23"), (12.34, "12.3"), (12345.6, "12,346")],
)
def test_numbers_have_three_significant_digits(value: float, shown: str) -> None:
    assert tables.number(value) == shown


def test_ratios_stand_by_workload_and_server() -> None:
    samples = [
        make_sample(0, OURS, 300),
        make_sample(0, NGINX, 100),
        make_sample(1, OURS, 100),
        make_sample(1, NGINX, 100),
    ]
    title, head, row = tables.ratio_table(samples, base=NGINX, quantity="per_second").splitlines()
    assert title.startswith("Requests a second, as a multiple of nginx Debian")
    assert head.split() == ["ours"]
    assert row.split() == ["small", "2.00", "(1.00..3.00)"]


def test_nothing_is_compared_with_a_server_that_was_not_there() -> None:
    samples = [make_sample(0, OURS, 300), make_sample(0, NGINX_TUNED, 100)]
    assert "multiple of nginx tuned" in tables.throughput(samples)
    assert "multiple of nginx Debian" not in tables.throughput(samples)


def test_a_star_marks_a_server_that_had_to_wait() -> None:
    samples = [make_sample(0, OURS, 300), make_sample(0, NGINX, 100, busy=0.5)]
    of_seconds = tables.ratio_table(samples, base=NGINX, quantity="per_second")
    assert of_seconds.splitlines()[-1].split() == ["small", "3.00*"]
    of_cpu_seconds = tables.ratio_table(samples, base=NGINX, quantity="per_cpu_second")
    assert of_cpu_seconds.splitlines()[-1].split() == ["small", "3.00"]


def test_the_mount_is_compared_with_the_same_reader_round_by_round() -> None:
    samples = [
        make_sample(0, OURS, 100),
        make_sample(0, OURS_MOUNTED, 95),
        make_sample(1, OURS, 200),
        make_sample(1, OURS_MOUNTED, 210),
    ]
    _, _, row = tables.mount_table(samples).splitlines()
    assert row.split()[:3] == ["small", "1.00", "(0.95..1.05)"]


def test_a_server_that_falls_behind_has_no_latency() -> None:
    behind = [Latency(0, FLASK, 500, 900.0, 1800.0, 0.1, keeps_up=False)]
    assert "does not keep up" in tables.latency(behind)
    assert "900" not in tables.latency(behind)
    once = [Latency(number, FLASK, 500, 1.5, 2.5, 0.1, keeps_up=number > 0) for number in range(3)]
    assert "1.50" in tables.latency(once)


def test_the_file_of_results_holds_the_samples() -> None:
    samples = [make_sample(0, OURS, 300), make_sample(0, NGINX, 100)]
    results = Results(
        sizes={"small": 1000}, samples=samples, latencies=[], swaps=[], push_lags=[[0.01]]
    )
    assert throughput_from_json(results.to_json()) == (samples, {"small": 1000})

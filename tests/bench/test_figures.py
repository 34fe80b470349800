"""What `make bench` makes of its measurements."""

import pytest

from bench.figures import Quantity, Sample, Spread, percentile, ratios


def make_sample(number: int, server: str, per_second: float, **known: float) -> Sample:
    """A sample of the workload `small`."""
    fields = {"per_cpu_second": per_second, "busy": 1.0, **known}
    return Sample(number, "small", server, per_second, **fields)


def ratio(samples: list[Sample], quantity: Quantity = "per_second") -> Spread | None:
    return ratios(samples, workload="small", server="ours", base="nginx", quantity=quantity)


def test_a_ratio_is_taken_within_a_round() -> None:
    # The machine was half as quick in the second round: that says nothing about either server.
    samples = [
        make_sample(0, "ours", 3000),
        make_sample(0, "nginx", 1000),
        make_sample(1, "nginx", 500),
        make_sample(1, "ours", 1500),
    ]
    assert ratio(samples) == Spread(3, 3, 3)


def test_a_spread_is_the_middle_and_the_ends() -> None:
    samples = [make_sample(number, "nginx", 100) for number in range(3)]
    samples += [make_sample(number, "ours", rate) for number, rate in enumerate([400, 100, 200])]
    assert ratio(samples) == Spread(median=2, least=1, most=4)


def test_requests_for_a_cpu_second_are_another_quantity() -> None:
    samples = [
        make_sample(0, "ours", 100, per_cpu_second=500),
        make_sample(0, "nginx", 100, per_cpu_second=250),
    ]
    assert ratio(samples) == Spread(1, 1, 1)
    assert ratio(samples, "per_cpu_second") == Spread(2, 2, 2)


def test_there_is_no_ratio_to_what_was_not_measured() -> None:
    assert ratio([make_sample(0, "ours", 100)]) is None
    assert ratio([make_sample(0, "ours", 100), make_sample(1, "nginx", 100)]) is None


@pytest.mark.parametrize(
    ("percent", "expected"), [(1, 1), (50, 50), (50.5, 51), (99, 99), (99.5, 100), (100, 100)]
)
def test_a_percentile_is_the_smallest_that_covers_so_many(percent: float, expected: int) -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert percentile(values, percent) == expected


def test_every_percentile_of_one_value_is_that_value() -> None:
    assert [percentile([7.0], percent) for percent in (1, 50, 100)] == [7.0] * 3

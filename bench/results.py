"""The results of one run of `make bench`, and their form in a file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.figures import Sample
from bench.pauses import Swap


@dataclass(frozen=True)
class Latency:
    """One measurement of one server at a fixed rate; times in milliseconds.

    Args:
        round: measurements of one round are a few seconds apart.
        server: its name.
        rate: requests a second.
        p50: median.
        p99: 99th percentile.
        generator: 99th percentile of the load generator's own delay.
        keeps_up: whether the server kept up with the rate.
    """

    round: int
    server: str
    rate: float
    p50: float
    p99: float
    generator: float
    keeps_up: bool


@dataclass(frozen=True)
class Results:
    """All results.

    Args:
        sizes: bytes of the body of each workload's response.
        samples: of the throughput.
        latencies: at fixed rates.
        swaps: of the huge list, under load.
        push_lags: seconds until each process served a write, one list per write.
        mounted: throughput of ours under `/` and under `/api/v3`.
    """

    sizes: Mapping[str, int]
    samples: Sequence[Sample]
    latencies: Sequence[Latency]
    swaps: Sequence[Swap]
    push_lags: Sequence[Sequence[float]]
    mounted: Sequence[Sample] = ()

    def to_json(self) -> str:
        """The content of a results file."""
        return json.dumps(asdict(self), indent=1) + "\n"


def throughput_from_json(text: str) -> tuple[list[Sample], dict[str, int]]:
    """The throughput in a results file, and the bytes of each workload's body."""
    found: dict[str, Any] = json.loads(text)
    return [Sample(**fields) for fields in found["samples"]], found["sizes"]

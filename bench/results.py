"""All that one run of `make bench` measured, and its form in a file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.figures import Sample
from bench.pauses import Swap


@dataclass(frozen=True)
class Latency:
    """How long one server took at a fixed rate, once; times in milliseconds.

    Args:
        round: what was measured in the same one was measured a few seconds apart.
        server: its name.
        rate: requests a second.
        p50: that half of the requests took no longer than.
        p99: that 99 percent took no longer than.
        generator: the 99th percentile of how late the load generator itself was.
        keeps_up: whether the server answered as quickly as it was asked.
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
    """What was measured.

    Args:
        sizes: bytes of the body of each workload's answer.
        samples: of the throughput.
        latencies: at fixed rates.
        swaps: of the huge list, under load.
        push_lags: seconds until each process served a write, one list for each write.
    """

    sizes: Mapping[str, int]
    samples: Sequence[Sample]
    latencies: Sequence[Latency]
    swaps: Sequence[Swap]
    push_lags: Sequence[Sequence[float]]

    def to_json(self) -> str:
        """The form in a file."""
        return json.dumps(asdict(self), indent=1) + "\n"


def throughput_from_json(text: str) -> tuple[list[Sample], dict[str, int]]:
    """The throughput in a file of results, and the bytes of each workload's body."""
    found: dict[str, Any] = json.loads(text)
    return [Sample(**fields) for fields in found["samples"]], found["sizes"]

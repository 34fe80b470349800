"""The plot of `make bench` is drawn from its results."""

from pathlib import Path

from bench.plot import draw
from bench.servers import NAMES
from tests.bench.test_figures import make_sample


def test_draws_a_png(tmp_path: Path) -> None:
    samples = [make_sample(round_, name, 100 + round_) for round_ in range(2) for name in NAMES]
    draw(samples, {"small": 1095}, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")

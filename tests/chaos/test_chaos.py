"""A short run of `make chaos`: every kind of subject has its fault, and everything holds."""

from pathlib import Path

import pytest

from tests.chaos.checkers import explained
from tests.chaos.report import table
from tests.chaos.run import run
from tests.chaos.schedule import plan

SEED, SECONDS = 45, 34


@pytest.mark.timeout(400)
def test_everything_holds_in_a_short_run(tmp_path: Path) -> None:
    said: list[str] = []
    result = run(plan(SEED, seconds=SECONDS), tmp_path, seed=SEED, say=said.append)

    text = "\n".join([*said, table(result)])
    print(text)
    assert not any(result.violations.values()), text
    assert len(result.history.answers) > 100
    assert explained(result.history) > 5
    assert max(result.history.at_work) >= 10
    assert sum(one.is_served for one in result.history.misses) > 100

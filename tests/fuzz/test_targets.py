"""The targets of `make fuzz`, for a moment each."""

import pytest
from hypothesis import given, settings

from tests.fuzz.strategies import mutated
from tests.fuzz.targets import SEEDS, TARGETS


def test_every_target_has_seeds() -> None:
    assert SEEDS.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_promised_holds_for(name: str) -> None:
    target = TARGETS[name]
    for seed in SEEDS[name]:
        target(seed)
    settings(max_examples=150)(given(mutated(name))(target))()

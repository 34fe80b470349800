"""The record of a doubt in Redis."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UnreadableError
from shared.suspicion import SECOND_LOOK_S, Suspicion
from tests.builders import NOW

DOUBT = Suspicion(NOW, 0, 245, 1, "GitHub shows 0 items where there were 245")


def test_it_is_read_as_it_was_stored() -> None:
    assert Suspicion.from_json(DOUBT.to_json()) == DOUBT


@pytest.mark.parametrize(
    ("now", "expected"),
    [(NOW - 6, False), (NOW - 5, True), (NOW, True), (NOW + 29.9, True), (NOW + 30, False)],
)
def test_the_second_look_is_held_back_for_so_long(now: float, *, expected: bool) -> None:
    assert SECOND_LOOK_S == 30
    assert DOUBT.holds_back(now) is expected


@pytest.mark.parametrize(
    "change",
    [
        *({"at": "1"}, {"at": float("nan")}, {"at": True}, {"items": -1}, {"items": 1.5}),
        *({"before": None}, {"looks": True}, {"looks": 10**12}, {"reason": 1}, {"more": 1}),
    ],
)
def test_damage_is_no_doubt(change: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        Suspicion.from_json(json.dumps({**json.loads(DOUBT.to_json()), **change}))


@given(st.binary())
def test_no_bytes_are_another_error(stored: bytes) -> None:
    with pytest.raises(UnreadableError):
        Suspicion.from_json(stored)

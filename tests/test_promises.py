"""Every promise of docs/promises.md is tried, by tests that exist."""

import re
import subprocess
import sys

import pytest

from tests import promises
from tests.promises import Promise

ALL = promises.promises()
IDS = [f"promise {one.number}" for one in ALL]
PLACES = [(number, place) for number, found in promises.places().items() for place in found]


def test_promises_are_numbered_one_after_the_other() -> None:
    assert [one.number for one in ALL] == list(range(1, len(ALL) + 1))


def test_what_is_tried_is_promised() -> None:
    assert set(promises.places()) == {one.number for one in ALL}
    assert len(PLACES) == len(set(PLACES))


@pytest.mark.parametrize("promise", ALL, ids=IDS)
def test_a_promise_is_tried_in_one_process_and_in_a_fleet(promise: Promise) -> None:
    tries = promises.places()[promise.number]
    in_fleets = [place for place in tries if promises.is_in_a_fleet(place)]
    assert in_fleets, "it is tried with real processes"
    assert len(in_fleets) < len(tries) or any(map(promises.is_chaos, tries))


@pytest.mark.parametrize(("number", "place"), PLACES, ids=[place for _, place in PLACES])
def test_what_tries_a_promise_exists(number: int, place: str) -> None:
    assert promises.exists(place), f"of promise {number}"


def test_what_does_not_exist_is_noticed() -> None:
    places = (
        "chaos: nothing of this name",
        "tests/test_nothing.py",
        "tests/test_promises.py::test_nothing",
        "tests/test_promises.py::TestNothing",
        "tests/test_promises.py::test_what_does_not_exist_is_noticed::test_nothing",
    )
    assert not any(map(promises.exists, places))


def test_every_check_of_a_chaos_run_tries_a_promise() -> None:
    cited = {place.removeprefix(promises.CHAOS) for _, place in PLACES if promises.is_chaos(place)}
    assert len(cited) >= 10
    assert cited == promises.chaos_checks()


@pytest.mark.parametrize("promise", ALL, ids=IDS)
def test_the_page_names_bound_mechanism_and_tests(promise: Promise) -> None:
    assert re.fullmatch(r"[A-Z].+\.", promise.text)
    assert list(promise.parts) == ["Bound", "Mechanism", "Tried by"]
    modules = re.findall(r"`([\w/]+\.\w+)`", promise.parts["Mechanism"])
    assert modules
    assert [one for one in modules if not (promises.ROOT / one).is_file()] == []
    assert promise.parts["Tried by"] == promises.tried_by(promise.number)


def test_the_settings_that_the_page_names_are_settings() -> None:
    readme = (promises.ROOT / "README.md").read_text()
    for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=\w+)?`", promises.PAGE.read_text()):
        assert f"| `{name}` |" in readme, name


def test_one_command_prints_the_matrix_and_the_tests_of_a_promise() -> None:
    lines = promises.matrix().splitlines()
    print(*lines, sep="\n")
    assert len(lines) == 1 + len(ALL)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.promises", "5"],
        cwd=promises.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == list(promises.places()[5])

"""A short run keeps all promises; the same seed is the same run; a guard that is out is missed.

Runs that judge the product are processes of their own: sets of strings have the same order in each.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.simulation.faults import KINDS, plan
from tests.simulation.guards import GUARDS

SHORT = ("--hours", "0.001")


def run(*arguments: str) -> tuple[int, str]:
    """Status and output of the command."""
    command = [sys.executable, "-m", "tests.simulation", *SHORT, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def test_a_fleet_keeps_its_promises_through_faults() -> None:
    status, output = run("--seed", "4", "--episode", "60")
    assert status == 0, output
    assert "seed 4:" in output


def assert_missed(guard: str, few: str, *, found: str) -> None:
    """Without a guard, a run of these arguments finds a promise that is broken."""
    status, output = run(*few.split(), "--without", guard)
    assert status == 1, output
    assert found in output


def test_a_guard_that_is_taken_out_is_missed() -> None:
    assert_missed(
        "older-look",
        "--seed 1 --episode 5 --faults webhooks-doubled",
        found="/orgs/netflix/repos shows Netflix/eureka as it was before",
    )


def test_a_list_that_changes_between_its_pages_has_no_item_twice() -> None:
    few = "--seed 19 --episode 10 --faults github-between-pages --told 0"
    assert_missed("readings", few, found="has an item twice")


def test_a_lost_delivery_is_recovered_in_its_time() -> None:
    few = "--seed 3 --episode 5 --faults webhooks-lost"
    assert_missed("deliveries", few, found="1 lost deliveries have not come")


def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    few = ("--seed", "3", "--episode", "2", "--told", "0")
    with ThreadPoolExecutor() as pool:
        outputs = [output for _, output in pool.map(lambda _: run(*few), "ab")]
    digests = [output.partition("digest ")[2].partition(";")[0] for output in outputs]
    assert len(digests[0]) == 16, outputs
    assert digests[0] == digests[1]


def test_a_kind_of_fault_that_is_left_out_moves_no_other() -> None:
    everything = plan("1", 0, frozenset(KINDS))
    fewer = plan("1", 0, frozenset(KINDS) - {"crash"})
    assert [one for one in everything if one.kind != "crash"] == fewer
    assert everything != fewer


def test_what_takes_an_hour_is_rare_unless_it_is_chosen() -> None:
    kinds = frozenset({"github-hour-pauses"})
    chosen = [bool(plan(str(seed), 0, kinds, is_chosen=True)) for seed in range(200)]
    rarely = [bool(plan(str(seed), 0, kinds)) for seed in range(200)]
    assert 60 < sum(chosen) < 140
    assert 0 < sum(rarely) < 20


def test_every_guard_says_what_it_keeps() -> None:
    assert all(sentence.strip() for sentence, _ in GUARDS.values())

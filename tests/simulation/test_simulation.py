"""A short run keeps all promises; the same seed is the same run; a guard that is out is missed."""

from dataclasses import replace

from tests.simulation.faults import KINDS, plan
from tests.simulation.guards import GUARDS
from tests.simulation.run import Options, simulate


def test_a_fleet_keeps_its_promises_through_faults() -> None:
    result = simulate(Options("4", hours=0.001, episode_s=60, told=1))
    assert result.broken is None, "\n".join(result.trace)
    assert result.checks > 30
    assert len(result.happened) > 10


def test_the_same_seed_is_the_same_run() -> None:
    options = Options("3", hours=0.001, episode_s=6, told=0)
    first, second = simulate(options), simulate(options)
    assert first.broken is None
    assert (first.digest, first.events) == (second.digest, second.events)


def test_a_kind_of_fault_that_is_left_out_moves_no_other() -> None:
    everything = plan("1", 0, frozenset(KINDS))
    fewer = plan("1", 0, frozenset(KINDS) - {"crash"})
    assert [one for one in everything if one.kind != "crash"] == fewer
    assert everything != fewer


def test_every_guard_says_what_it_keeps() -> None:
    assert all(sentence.strip() for sentence, _ in GUARDS.values())


def test_a_guard_that_is_taken_out_is_missed() -> None:
    kinds = frozenset({"webhooks-doubled"})
    options = Options("1", hours=0.001, kinds=kinds, guards=frozenset({"look-again"}))
    result = simulate(replace(options, episode_s=5, told=1))
    assert result.broken is not None
    assert "/orgs/netflix/repos changed at" in result.broken

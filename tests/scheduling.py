"""Which process of pytest-xdist runs which tests.

Tests that start processes wait most of the time: for a lifetime to end, for a process to start. So
with four processes or more one of them, the filler, begins with the other tests, which need
the processor and nothing else. It has a lower priority, so that what is timed is not disturbed.
When one kind of test has all been given away, all processes take what is left of the other; only
the filler starts no servers: they would have its priority.

Tests that are marked `timing` come last, and four processes run them while the others have ended:
on a busy machine they would fail although nothing is wrong with what they test.
"""

import os
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.categories import group_of, is_timing, starts_processes

_OVERRIDDEN: Final = ("_split_scope", "_assign_work_unit")  # not promised by pytest-xdist
assert vars(LoadScopeScheduling).keys() >= set(_OVERRIDDEN)

_FEWEST: Final = 4  # processes among which there is a filler
_TIMED_AT_ONCE: Final = 4  # processes that run tests marked `timing`
_NICENESS: Final = 10  # of the filler: a tenth of the share of another process


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives all tests of a group to one process: a module's fleet is started once.

    The marker `xdist_group` has no effect with pytest 9.2 (pytest-xdist's issue 1386).
    """

    def mark_test_complete(
        self, node: WorkerController, item_index: int, duration: float = 0
    ) -> None:
        """Note that a test has ended; give the process more to do if it has little left.

        Groups that are done with are forgotten: else each further test would count them all.
        """
        group = self._split_scope(self.registered_collections[node][item_index])
        super().mark_test_complete(node, item_index, duration)
        work = self.assigned_work[node]
        if all(work[group].values()):
            del work[group]

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give a process the next group of its kind: the queue begins with those of servers."""
        if is_filler(node.gateway.id, self.numnodes):
            for group, tests in self.workqueue.items():
                first = next(iter(tests))
                if not starts_processes(first) and not is_timing(first):
                    self.workqueue.move_to_end(group, last=False)
                    break
            else:
                node.shutdown()
                return
        elif self._has_only_timing() and node not in self._timing_nodes():
            node.shutdown()
            return
        super()._assign_work_unit(node)

    def _timing_nodes(self) -> list[WorkerController]:
        """The processes that run the tests that come last: never the filler."""
        return [
            node for node in self.assigned_work if not is_filler(node.gateway.id, self.numnodes)
        ][:_TIMED_AT_ONCE]

    def _has_only_timing(self) -> bool:
        """Whether no tests are left to be given away but those that come last."""
        return is_timing(next(iter(next(iter(self.workqueue.values())))))


def is_filler(name: str, number: int) -> bool:
    """Whether a process is the filler.

    Args:
        name: of the process: `gw0` and so on.
        number: of processes.
    """
    return number >= _FEWEST and name == f"gw{number - 1}"


def lower_priority(config: pytest.Config) -> None:
    """Let the other processes go first, if this one is the filler."""
    known = getattr(config, "workerinput", None)
    if known and is_filler(known["workerid"], known["workercount"]):
        os.nice(_NICENESS)

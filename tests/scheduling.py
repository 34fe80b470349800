"""Which process of pytest-xdist runs which tests.

Tests that start processes wait most of the time: for a lifetime to end, for a process to start. So
with four processes or more one of them, the filler, begins with the other tests, which need
the processor and nothing else; with six or more, two do. Fillers have a lower priority, so that
servers answer in time, and start no servers, which would have it, too.
"""

import os
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.categories import group_of, starts_processes

_OVERRIDDEN: Final = ("_split_scope", "_assign_work_unit")  # not promised by pytest-xdist
assert vars(LoadScopeScheduling).keys() >= set(_OVERRIDDEN)

_FEWEST: Final = 4  # processes among which there is a filler
_TWO_AMONG: Final = 6  # processes among which there are two
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
        """Give a process the next group of its kind; the queue begins with those of servers."""
        if not is_filler(node.gateway.id, self.numnodes) or self._put_plain_first():
            super()._assign_work_unit(node)
        else:
            node.shutdown()

    def _put_plain_first(self) -> bool:
        """Put the first group that starts no servers at the beginning; whether there is one."""
        for group, tests in self.workqueue.items():
            if not starts_processes(str(next(iter(tests)))):
                self.workqueue.move_to_end(group, last=False)
                return True
        return False


def is_filler(name: str, number: int) -> bool:
    """Whether a process is a filler.

    Args:
        name: of the process: `gw0` and so on.
        number: of processes.
    """
    fillers = (number >= _FEWEST) + (number >= _TWO_AMONG)
    return int(name.removeprefix("gw")) >= number - fillers


def lower_priority(config: pytest.Config) -> None:
    """Let the other processes go first, if this one is the filler."""
    known = getattr(config, "workerinput", None)
    if known and is_filler(known["workerid"], known["workercount"]):
        os.nice(_NICENESS)

"""The fleet as everybody may see it: without the names of withdrawn repositories. Pure."""

from dataclasses import replace

from reader.fleet.view import Fleet
from shared.withdrawal import Withdrawals


def without_withdrawn(fleet: Fleet, withdrawals: Withdrawals) -> Fleet:
    """The fleet without what names a withdrawn repository; the fleet itself if nothing does.

    Args:
        fleet: as Redis shows it.
        withdrawals: what is withdrawn.
    """
    if not withdrawals:
        return fleet
    is_named = withdrawals.is_named_in
    spent = fleet.spent
    return replace(
        fleet,
        on_demand=[one for one in fleet.on_demand if not is_named(one.name)],
        timeline=[
            report
            for report in fleet.timeline
            if not is_named(report.resource) and not is_named(report.reason or "")
        ],
        drift=[one for one in fleet.drift if not is_named(one.resource)],
        hold_facts=fleet.hold_facts.without(is_named),
        spent=replace(spent, paths=[one for one in spent.paths if not is_named(one[0])]),
        workers=[
            replace(one, job=None) if is_named(one.job or "") else one for one in fleet.workers
        ],
    )

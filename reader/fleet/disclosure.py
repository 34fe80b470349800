"""What anybody may know of the fleet: not the paths of `TRACK` that GitHub does not show. Pure.

`TRACK` may name what is private, or was made private. Its name alone would tell that it exists. So
a path is named in public only while its content can be served; operators see all of them.
"""

from collections.abc import Container, Sequence
from dataclasses import replace

from reader.fleet.view import Fleet, TrackedView
from reader.fleet.workers import WorkerView
from shared.resources.resource import Resource
from shared.spending import LONGEST_NAME


def is_withheld(view: TrackedView) -> bool:
    """Whether clients get an error of GitHub's, or a refusal, for a path of `TRACK`."""
    is_error = view.metadata is not None and view.metadata.status >= 400
    return view.resource.kind.is_named and is_error


def is_public(view: TrackedView) -> bool:
    """Whether anybody may know that the resource is tracked."""
    has_content = view.metadata is not None and view.metadata.status < 400
    return has_content or not view.resource.kind.is_named


def public_views(views: Sequence[TrackedView]) -> list[TrackedView]:
    """Those of tracked resources that anybody may know of."""
    return [view for view in views if is_public(view)]


def public_fleet(fleet: Fleet) -> Fleet:
    """The fleet as anybody may see it."""
    fleet = replace(fleet, withdrawn_at={}, hold_facts=fleet.hold_facts.for_everybody)
    hidden = [view.resource for view in fleet.tracked if not is_public(view)]
    if not hidden:
        return fleet
    names = {name for resource in hidden for name in _names_of(resource)}
    spent = fleet.spent
    paths = [one for one in spent.paths if one[0] not in names]
    return replace(
        fleet,
        tracked=public_views(fleet.tracked),
        on_demand=[one for one in fleet.on_demand if one.name not in names],
        drift=[one for one in fleet.drift if one.resource not in names],
        hold_facts=fleet.hold_facts.without(lambda name: name in names),
        timeline=[one for one in fleet.timeline if one.resource not in names],
        spent=replace(spent, paths=paths),
        workers=[_without_job(one, names) for one in fleet.workers],
        undisclosed=len(hidden),
    )


def _without_job(worker: WorkerView, names: Container[str]) -> WorkerView:
    """The refresher without its job if that is about one of the names, see `shared.queueing`."""
    name = (worker.job or "").partition(" ")[2]
    return replace(worker, job=None) if name in names else worker


def _names_of(resource: Resource) -> list[str]:
    """The names under which refreshes of a resource are reported, that of its repository too."""
    found = [resource.name, resource.name[:LONGEST_NAME], resource.repository_above]
    return [name for name in found if name]

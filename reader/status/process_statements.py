"""Statements on processes that are gone, or lack something of their machine's. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from reader.fleet.heartbeats import ReaderReport
from reader.fleet.view import Fleet
from reader.status.formatting import about, clock, listed
from reader.status.statement import Level, Statement, Topic
from reader.temporary_files import WITHOUT, Use


def process_statements(fleet: Fleet) -> Iterator[Statement]:
    """Statements on a scheduler that has died, and on readers without temporary files."""
    lost_at = fleet.scheduler_lost_at
    if lost_at is not None:
        text = (
            f"The last one was heard of at {clock(lost_at, fleet.now)} "
            f"({about(fleet.now - lost_at)} ago), and has not ended by itself. Tracked content is "
            "no longer renewed ahead: readers request it when it is stale. Start a scheduler "
            "(`python -m refresher.scheduler`), as the Procfile does."
        )
        title = "No scheduler is running any more"
        yield Statement(Level.WARN, Topic.SCHEDULERS, title, text, "scheduler-lost")
    failing = without_files(fleet.readers)
    if failing:
        named = [f"{node}: {', '.join(uses)}" for node, uses in failing.items()]
        meant = sorted({use for one in fleet.readers for use in one.files})
        without = listed([WITHOUT[use] for use in Use if use in meant])
        text = f"{'; '.join(named)}. Without them, {without}. Make room in the folder for "
        text += "temporary files (TMPDIR, or /tmp) and in /dev/shm."
        title = "Temporary files cannot be written"
        yield Statement(Level.WARN, Topic.FILES, title, text, "temporary-files-failing")


def without_files(readers: Sequence[ReaderReport]) -> Mapping[str, list[str]]:
    """For what the nodes cannot write temporary files, and why; without those that can."""
    found: dict[str, dict[str, str]] = {}
    for one in readers:
        for use, reason in one.files.items():
            found.setdefault(one.node, {})[use] = f"{use} ({reason})"
    return {node: [uses[use] for use in sorted(uses)] for node, uses in found.items()}

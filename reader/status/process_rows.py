"""The page's rows about reader nodes and refreshers."""

from collections.abc import Iterable, Sequence

from reader.fleet.heartbeats import ReaderReport
from reader.fleet.workers import WorkerView
from reader.status.formatting import about, count, iso, listed, plural, share, size
from reader.status.page_input import NOTHING, JsonObject
from reader.status.statement import Level
from reader.status.states import SIGNS, State
from shared.queue_order import Lane


def node_rows(readers: Iterable[ReaderReport], now: float) -> list[JsonObject]:
    """A row for each node: all reader processes of one gunicorn."""
    nodes: dict[str, list[ReaderReport]] = {}
    for one in readers:
        nodes.setdefault(one.node, []).append(one)
    return [_node(name, processes, now) for name, processes in nodes.items()]


def _node(name: str, processes: Sequence[ReaderReport], now: float) -> JsonObject:
    content, hits = sum(one.content for one in processes), sum(one.hits for one in processes)
    missing = max(one.missing for one in processes)
    held = sum(one.local_bytes for one in processes)
    rate = sum(one.per_second for one in processes)
    followers = sum(one.followers for one in processes)
    started = min(one.started_at for one in processes)
    return {
        "key": name,
        "name": name,
        "level": Level.BAD if missing else Level.GOOD,
        "sign": SIGNS[State.MISSING if missing else State.FRESH],
        "state": f"{missing} missing" if missing else "serving all",
        "processes": len(processes),
        "version": listed(sorted({one.version for one in processes})),
        "requests": sum(one.requests for one in processes),
        "per_second": round(rate, 1),
        "rate": f"{rate:,.1f}",
        "followers": followers,
        "followers_words": f"{plural(followers, 'follower')} of /changes" if followers else "",
        "hit_ratio": hits / content if content else None,
        "hits": share(hits, content),
        "local_bytes": held,
        "local": size(held),
        "started_at": iso(started),
        "up": about(now - started),
    }


_LANES = {Lane.TRACKED: "tracked", Lane.LARGE: "large", Lane.ON_DEMAND: "on demand"}


def worker_row(worker: WorkerView, now: float) -> JsonObject:
    """The row of a refresher."""
    last_seen = None if worker.heard_at is None else now - worker.heard_at
    return {
        "key": worker.name,
        "name": f"{worker.hostname}:{worker.pid}",
        "level": {"busy": Level.NOTE, "suspended": Level.WARN}.get(worker.state, Level.GOOD),
        "sign": {"busy": "↻", "suspended": "‖"}.get(worker.state, "✓"),
        "state": worker.state,
        "at_work": worker.at_work,
        "slots": worker.slots,
        "work": at_work(worker),
        "by_lane": ", ".join(
            f"{count(number)} {_LANES[lane]}" for lane, number in worker.running.items()
        ),
        "job": worker.job or NOTHING,
        "heard": NOTHING if last_seen is None else f"{about(last_seen)} ago",
        "done": worker.done,
        "failed": worker.failed,
        "jobs": f"{count(worker.done)} done, {count(worker.failed)} failed",
        "up": NOTHING if worker.started_at is None else about(now - worker.started_at),
    }


def at_work(worker: WorkerView) -> str:
    """How many refreshes a refresher does at the moment, and can do at once."""
    if worker.slots is None:
        return "one after the other"
    return f"{count(worker.at_work)} of {plural(worker.slots, 'refresh', 'refreshes')}"

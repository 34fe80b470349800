"""What is read of processes, of Redis, of the stand-in GitHub and of the refreshers' logs."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil
from redis import Redis
from rq import Queue
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from shared.queue_order import Lane
from shared.queueing import QUEUE
from shared.redis import keys
from tests.chaos.history import ORG, Fetch, Sample, Stored

_MAINTAINED: Final = 200.0  # seconds after which no execution of now is registered
_STORED: Final = frozenset({"updated", "unchanged"})
# A digest, a number or an address at the end tells one key of a kind from the others.
_OURS = re.compile(r"^(?:redlock:)?api-read-cache:\d+:([a-z-]+)")


def samples(processes: dict[str, psutil.Process], *, at: float) -> list[Sample]:
    """How much each process takes; those that are gone are left out."""
    found = []
    for name, process in processes.items():
        with suppress(psutil.Error):
            rss, files = process.memory_info().rss, process.num_fds()
            found.append(Sample(at, f"{name}/{process.pid}", rss, files, process.num_threads()))
    return found


def keys_by_kind(redis: Redis) -> dict[str, int]:
    """How many keys Redis holds of each kind."""
    return dict(Counter(kind_of(key.decode()) for key in redis.scan_iter(count=1000)))


def kind_of(key: str) -> str:
    """The kind of a key: ours by its first word, RQ's by its first two."""
    ours = _OURS.match(key)
    if ours:
        return f"ours:{ours[1]}"
    return ":".join(key.split(":")[:2])


def left_of_jobs(redis: Redis) -> list[str]:
    """What is left of jobs once nothing is requested any more: nothing, if nothing leaks.

    What a killed refresher leaves ends by itself, or RQ's maintenance removes it: that is done
    here as if it were later.
    """
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    started = StartedJobRegistry(queue=queue)
    started.cleanup(timestamp=time.time() + _MAINTAINED)
    patterns = (keys.order("*", "*"), keys.PLACES, keys.bell("*"), keys.waits("*"))
    marks = (*(f"{keys.TURNS}{lane}" for lane in Lane), f"{keys.RUNNING}*", "redlock:*")
    found = [key for pattern in (*patterns, *marks) for key in redis.scan_iter(pattern, count=1000)]
    for pattern in ("rq:job:*", "rq:execution*"):
        found += [key for key in redis.scan_iter(pattern, count=1000) if redis.ttl(key) == -1]
    jobs = [*queue.job_ids, *started.get_job_ids(cleanup=False)]
    return [*(key.decode() for key in found), *jobs]


def stored_in(folder: Path) -> list[Stored]:
    """The refreshes that stored or confirmed, from the refreshers' logs."""
    found = []
    for log in folder.glob("refresher-*.log"):
        for line in log.read_text(errors="replace").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                told = json.loads(line)
                if told["outcome"] in _STORED:
                    began = told["at"] - told["seconds"]
                    found.append(
                        Stored(
                            told["resource"],
                            began,
                            told["at"],
                            told.get("job_id", "?"),
                        )
                    )
    return found


def fetches_of(recent: Iterable[dict[str, Any]]) -> list[Fetch]:
    """The stand-in's requests that it has answered."""
    return [
        Fetch(resource_asked_for(one["path"]), one["time"], one["answered_at"], one["port"])
        for one in recent
        if one["answered_at"] is not None
    ]


def resource_asked_for(target: str) -> str:
    """The resource that a request to GitHub is for: lists are paged by number."""
    return re.sub(r"^/organizations/\d+", ORG, target.partition("?")[0])

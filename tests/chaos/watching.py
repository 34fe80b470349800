"""What is read of processes, of Redis, of the stand-in GitHub and of the refreshers' logs."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil
from redis import Redis

from tests.chaos.history import ORG, Fetch, Sample, Stored

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

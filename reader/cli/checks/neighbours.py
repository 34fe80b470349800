"""Checks whether the Redis database is the cache's own."""

from collections.abc import Iterator

from reader.cli.checks.finding import Finding, Verdict
from reader.fleet.neighbours import Neighbours
from reader.status.formatting import listed, plural

_ABOUT = "redis"
_ADVICE = "give the cache a database of its own (docs/redis.md)"


def check_neighbours(found: Neighbours) -> Iterator[Finding]:
    """Check that no other program uses RQ in the database.

    Its `rq suspend` would pause our refreshers, and our refreshers take jobs out of a queue of the
    same name.
    """
    if found.jobs:
        text = f"{plural(found.jobs, 'job')} in the queue `refresh` are not ours: they are refused"
        yield Finding(_ABOUT, Verdict.PROBLEM, text, _ADVICE)
    others = [
        f"{plural(len(names), what)} ({listed(list(names))})"
        for what, names in (("queue", found.queues), ("worker", found.workers))
        if names
    ]
    if others:
        text = f"another program uses RQ in this database: {' and '.join(others)}"
        yield Finding(_ABOUT, Verdict.WARNING, text, _ADVICE)

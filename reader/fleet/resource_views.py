"""Reading the state of resources, and of their refreshes, from Redis."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from redis import Redis

from reader.fleet.redis_state import Parts
from reader.fleet.view import TrackedView
from shared import refresh_report
from shared.encodings import ENCODINGS
from shared.entry import SEGMENTS
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.resource import Resource
from shared.segments import unpack_manifest


def resource_views(
    redis: Redis, store: Store, resources: Sequence[Resource], *, now: float
) -> list[TrackedView]:
    """The state of resources, read in a few round trips.

    Args:
        redis: a client.
        store: reads entries.
        resources: to read.
        now: Unix time in seconds.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    states = store.states(resources)
    withdrawals = store.withdrawals.known
    with redis.pipeline(transaction=False) as pipeline:
        for resource in resources:
            for encoding in ENCODINGS:
                pipeline.hstrlen(keys.entry(resource), f"body:{encoding}")
            pipeline.hget(keys.entry(resource), SEGMENTS)
            pipeline.hkeys(keys.pages(resource))
            refresh_report.ask_for_record(pipeline, resource)
            pipeline.get(keys.progress(resource))
            pipeline.exists(keys.running(resource))
        replies = iter(pipeline.execute(raise_on_error=False))
    return [
        _with_details(
            TrackedView(
                resource,
                now,
                withdrawals.told(resource, state.metadata),
                state.failure,
                invalidated_by=state.is_invalidated(now),
                is_complete=state.is_complete,
                suspicion=state.suspicion,
                look_at=None if state.looks is None else state.looks.next_at,
                event_at=None if state.looks is None else state.looks.event_at,
                left_until=state.left_until,
            ),
            replies,
        )
        for resource, state in zip(resources, states, strict=True)
    ]


def _with_details(view: TrackedView, replies: Iterator[Any]) -> TrackedView:
    # What is damaged is mended by the next refresh, and told of then.
    whole = Parts().whole
    encoded = {encoding: int(whole(next(replies), 0)) for encoding in ENCODINGS}
    segments = whole(next(replies), None)
    page_fields: list[bytes] = whole(next(replies), [])
    record = whole(next(replies), [None] * 5)
    progress = whole(next(replies), None)
    is_running = bool(next(replies))
    if segments is not None:
        encoded["gzip"] = _packed_bytes(segments)
    number = sum(field.isdigit() for field in page_fields)  # the fields of bodies are numbers
    return replace(
        view,
        encoded={name: size for name, size in encoded.items() if size},
        pages=number if page_fields else None,
        record=refresh_report.record_from(record),
        reading=_reading(progress) if is_running else None,
        is_running=is_running,
    )


def _packed_bytes(segments: bytes) -> int:
    """Bytes of a list's segments, compressed; 0 if the manifest is damaged."""
    try:
        return sum(one.packed_size for one in unpack_manifest(segments))
    except ValueError:
        return 0


def _reading(text: bytes | None) -> tuple[int, int] | None:
    try:
        known = json.loads(text or b"")
        return int(known["page"]), int(known["pages"])
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return None  # nothing is read at the moment, or the record is damaged

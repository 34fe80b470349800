"""What Redis knows of a resource beside the body of its entry: read in one go, and judged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from redis import RedisError
from redis.client import Pipeline

from shared.entry import METADATA_FIELDS, Metadata, metadata_from
from shared.errors import UnreadableError
from shared.event_bound import bounded_by_event, last_event
from shared.failure import Failure
from shared.invalidation import is_anew
from shared.looks import Looks
from shared.redis import keys
from shared.redis.lifetimes import Lifetimes
from shared.resources.resource import Resource
from shared.stored_form import lacks, left_until
from shared.stored_numbers import count_of
from shared.suspicion import Suspicion


@dataclass(frozen=True)
class EntryState:
    """What Redis knows of a resource, without the body of its entry.

    Args:
        metadata: of its entry; None if it has no entry.
        failure: of its last refresh; None if that succeeded, or if there was none.
        invalidated_by: mark of the invalidations (webhook or operator) that no refresh has handled,
            or that are followed by further looks, see `shared.invalidation`; None if all are done
            with.
        looks: that follow an event; None if there are none.
        forgotten: versions up to this one must not be served any more; 0 if there are none.
        is_complete: the entry holds all that this process derives for its kind.
        suspicion: what a look at the list showed that is not believed yet; None if nothing did.
        is_asked: a refresh was requested or done a moment ago; a further request would be dropped.
        left_until: Unix time in seconds before which an incomplete entry is not rebuilt, because
            a release that derives something else stored it.
    """

    metadata: Metadata | None
    failure: Failure | None
    invalidated_by: str | None = None
    looks: Looks | None = None
    forgotten: int = 0
    is_complete: bool = True
    left_until: float = 0
    is_asked: bool = False
    suspicion: Suspicion | None = None

    def is_held_back(self, now: float) -> bool:
        """Whether it is too early for a refresh, because of a failure or a doubt."""
        return any(
            one is not None and one.holds_back(now) for one in (self.failure, self.suspicion)
        )

    @property
    def is_to_be_read_anew(self) -> bool:
        """Whether an operator asked for content that GitHub sends without conditions."""
        return is_anew(self.invalidated_by)

    def is_invalidated(self, now: float) -> bool:
        """Whether the entry is invalidated, and a look at the resource is due.

        After a look, the content is what GitHub shows, until the next one is due.

        Args:
            now: Unix time in seconds.
        """
        if self.invalidated_by is None:
            return False
        return self.looks is None or self.is_to_be_read_anew or self.looks.is_due(now)

    def is_current(self, now: float) -> bool:
        """Whether there is an entry that is fresh, undisputed, and not to be completed now.

        It is disputed if it is invalidated, or if a second look at a list that lost much is due.

        Args:
            now: Unix time in seconds.
        """
        return (
            self.metadata is not None
            and self.metadata.is_fresh(now)
            and (self.is_complete or now < self.left_until)
            and not self.is_invalidated(now)
            and self.suspicion is None
        )


def add_parts(pipeline: Pipeline, resource: Resource, *, has_entry: bool = False) -> int:
    """Add the reads that a state is made of; return the number of replies.

    Args:
        pipeline: to add to.
        resource: whose state it is.
        has_entry: the entry is read as a whole.
    """
    if not has_entry:
        pipeline.hmget(keys.entry(resource), METADATA_FIELDS)
    pipeline.mget(*_beside(resource))
    if resource.kind.is_expanded:  # one that is stored in segments is complete with all of them
        pipeline.hlen(keys.segments(resource))
    if resource.event_scopes:
        pipeline.zmscore(keys.EVENTS, list(resource.event_scopes))
    return 1 + (not has_entry) + resource.kind.is_expanded + bool(resource.event_scopes)


def event_in(resource: Resource, parts: Sequence[Any], now: float) -> float:
    """When the last event touched a resource, in the replies to `add_parts`; 0 if none did.

    Args:
        resource: the same.
        parts: the replies.
        now: Unix time in seconds.
    """
    return last_event(parts[-1], now) if resource.event_scopes else 0.0


def state_in(
    resource: Resource,
    parts: Sequence[Any],
    *,
    lifetimes: Lifetimes,
    resumed_at: float,
    now: float,
) -> EntryState:
    """The state in the replies to `add_parts`.

    Args:
        resource: the same.
        parts: the replies.
        lifetimes: bound what the entry says of its freshness.
        resumed_at: Unix time in seconds of the last "resume", which ended all failures before it.
        now: Unix time in seconds.
    """
    event_at = event_in(resource, parts, now)
    entry, beside, *held = parts[:-1] if resource.event_scopes else parts
    if isinstance(entry, RedisError):  # it is of a wrong type
        entry = [None] * len(METADATA_FIELDS)
    failure, mark, forgotten, asked, suspicion, looks = beside
    invalidated_by = _text(mark)
    metadata = _metadata(resource, entry)
    if metadata is not None:
        metadata = bounded_by_event(lifetimes.bound(resource, metadata), event_at)
    state = EntryState(
        metadata,
        _failure(failure, resumed_at),
        invalidated_by,
        None if invalidated_by is None else Looks.from_text(looks),
        count_of(forgotten),
        is_asked=asked is not None,
        suspicion=_suspicion(suspicion),
    )
    if metadata is None:
        return state
    if metadata.segments and held != [metadata.segments]:
        return replace(state, is_complete=False)
    if is_complete(resource, metadata):
        return state
    until = left_until(metadata.derived, resource.kind.derived, validated_at=metadata.validated_at)
    return replace(state, is_complete=False, left_until=until)


def _beside(resource: Resource) -> list[str]:
    """The keys that hold what is known of a resource beside its entry."""
    beside = (keys.failure, keys.invalidated_by, keys.forgotten, keys.asked, keys.suspicion)
    return [key(resource) for key in (*beside, keys.looks)]


def is_complete(resource: Resource, metadata: Metadata) -> bool:
    """Whether an entry holds all that this process derives for it.

    A negative response (such as a 404) is not a list, so nothing is derived from its items.
    """
    return metadata.status != 200 or not lacks(metadata.derived, resource.kind.derived)


def _metadata(resource: Resource, values: Sequence[bytes | None]) -> Metadata | None:
    try:
        metadata = metadata_from(values)
    except UnreadableError:
        return None
    return metadata if metadata is not None and is_of_form(resource, metadata) else None


def is_of_form(resource: Resource, metadata: Metadata) -> bool:
    """Whether an entry was made for the form in which this process keeps the resource."""
    return metadata.form == resource.stored_form


def _text(value: bytes | None) -> str | None:
    """A stored text; None if it is absent or damaged."""
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _failure(value: bytes | None, resumed_at: float) -> Failure | None:
    try:
        return None if value is None else Failure.from_json(value).ended_by(resumed_at)
    except UnreadableError:
        return None


def _suspicion(value: bytes | None) -> Suspicion | None:
    try:
        return None if value is None else Suspicion.from_json(value)
    except UnreadableError:
        return None

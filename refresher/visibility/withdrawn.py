"""What a refresh does about withdrawn repositories (`shared.withdrawal`): GitHub's replicas lag.

Whatever GitHub shows of a withdrawn repository is stored as a 404, and left out of what is held on
demand. A list in which it still is less than `SETTLE_S` after the event is not stored: a look at it
follows. Readers remove what is withdrawn from all that they serve, so nothing depends on this.

If GitHub shows the repository itself to everybody in two answers, both asked for later than its
replicas lag, then it is public again, and an event was lost: the withdrawal ends.
"""

from dataclasses import dataclass, replace
from typing import TypeGuard

from refresher.content.content import Content, not_found
from refresher.content.items import decode
from refresher.content.page import Unchanged
from refresher.storage.storage import Storage
from shared.event_bound import SETTLE_S
from shared.redis.withdrawals import admit, is_seen_twice
from shared.resources.media_types import is_json
from shared.resources.resource import Resource
from shared.withdrawal import IN_FORCE_S
from shared.withdrawn_content import Remover

_SEGMENTS = {"repos": 3, "repositories": 2}  # of the path of a repository itself


@dataclass(frozen=True)
class Shown:
    """What may be stored.

    Args:
        content: without what is withdrawn.
        is_older: it is a list of before the event: nothing is stored of it.
    """

    content: Content | Unchanged
    is_older: bool = False


def shown(
    resource: Resource, content: Content | Unchanged, storage: Storage, *, asked_at: float
) -> Shown:
    """What may be stored of what GitHub has shown; may raise `redis.RedisError`.

    Args:
        resource: that was refreshed.
        content: what was read, public as far as GitHub's answer says.
        storage: knows what is withdrawn; ends a withdrawal.
        asked_at: Unix time in seconds of the oldest request.
    """
    withdrawals = storage.store.withdrawals.known
    remover = withdrawals.in_force(asked_at)
    if remover is None:
        return Shown(content)
    if resource.repository_key in remover.keys:
        event_at = withdrawals.times[resource.repository_key]
        is_late = asked_at >= event_at + SETTLE_S
        return Shown(_of_withdrawn(resource, content, storage, is_late=is_late))
    if isinstance(content, Unchanged):
        return Shown(content)
    is_early = withdrawals.in_force(asked_at + IN_FORCE_S - SETTLE_S) is not None
    return _without(content, remover, is_early=is_early)


def _of_withdrawn(
    resource: Resource, content: Content | Unchanged, storage: Storage, *, is_late: bool
) -> Content | Unchanged:
    """What may be stored of a withdrawn repository, or of what is below it.

    Args:
        resource: that was refreshed.
        content: what was read.
        storage: ends a withdrawal.
        is_late: GitHub was asked later than its replicas lag.
    """
    if isinstance(content, Content) and content.status == 404:
        return content
    if not is_late or not _is_itself(resource) or not _is_content(content):
        return not_found()
    if _is_again(resource, content, storage):
        return content
    return replace(not_found(), longest=SETTLE_S)  # the next request looks once more


def _without(content: Content, remover: Remover, *, is_early: bool) -> Shown:
    if content.shown is not None:
        return Shown(content, is_older=is_early and _still_shows(content, remover))
    if content.status != 200 or not is_json(content.content_type):
        return Shown(content)
    body = remover.body(content.body)
    if body is None:
        return Shown(not_found())
    return Shown(content if body is content.body else replace(content, body=body))


def _still_shows(content: Content, remover: Remover) -> bool:
    """Whether a list has a withdrawn repository among its public items."""
    if not remover.holds_id(content.ids):
        return False
    indexes = (page.load_index() for page in content.pages)
    return any(
        remover.holds_id(
            one for one, hidden in zip(index.ids, index.hidden, strict=True) if not hidden
        )
        for index in indexes
        if index is not None
    )


def _is_itself(resource: Resource) -> bool:
    """Whether a resource is a repository, and not below one."""
    segments = resource.path.strip("/").split("/")
    return len(segments) == _SEGMENTS.get(segments[0])


def _is_content(content: Content | Unchanged) -> TypeGuard[Content]:
    return isinstance(content, Content) and content.status == 200


def _is_again(resource: Resource, content: Content, storage: Storage) -> bool:
    """Note that GitHub shows a repository; whether the withdrawal has ended."""
    key, redis = resource.repository_key, storage.redis
    if not is_seen_twice(redis, key, apart=SETTLE_S, remember=IN_FORCE_S):
        return False
    admit(redis, [key, *_names_in(content.body)])
    return True


def _names_in(body: bytes) -> list[str]:
    """The full name and the id in GitHub's answer about a repository."""
    value = decode(body)
    name, number = (
        value.get(one) if isinstance(value, dict) else None for one in ("full_name", "id")
    )
    found = [name.lower()] if isinstance(name, str) else []
    return [*found, f"#{number}"] if type(number) is int else found

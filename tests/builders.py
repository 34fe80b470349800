"""Small things that tests are made of; a test names only what matters to it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scripts.embedded_redis import free_port
from shared.encodings import TABLE
from shared.entry import Entry, Metadata, content_fields
from shared.failure import Failure
from shared.json_array import JsonArray
from shared.outcomes import FailureKind
from shared.queue_order import Lane, Priority
from shared.queueing import RefreshRequest
from shared.redis import keys
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from shared.resources.resource import Resource
from shared.settings import Settings, load
from shared.stored_form import StoredForm

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT
CATALOGUE = Catalogue(("Netflix", "Google"))
RANKINGS = tuple(ranking.name for ranking in REPOSITORIES.rankings)
JSON = "application/json; charset=utf-8"


class Clock:
    """Unix time that moves only when a test moves it."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def make_metadata(**known: Any) -> Metadata:
    """Metadata of a small fresh object that was confirmed at `NOW`."""
    defaults: dict[str, Any] = {
        "status": 200,
        "version": 1,
        "etag": "tag",
        "content_type": JSON,
        "changed_at": NOW,
        "size": 2,
        "validated_at": NOW,
        "fresh_until": NOW + 1000,
        "form": StoredForm.of(REPOSITORIES.name, is_expanded=True, include_private=False),
        "derived": REPOSITORIES.derived,
    }
    return Metadata(**{**defaults, **known})


def make_entry(body: bytes = b'{"login": "Netflix"}', **metadata: Any) -> Entry:
    """An entry of a single object."""
    return Entry(make_metadata(**{"size": len(body), **metadata}), body)


def make_list_entry(count: int, **metadata: Any) -> Entry:
    """An entry of an expanded list: `[{"id": 1}, ...]`."""
    array = JsonArray.join(json.dumps({"id": number}).encode() for number in range(1, count + 1))
    known = {"size": len(array.body), "items": count, **metadata}
    return Entry(make_metadata(**known), array.body, array=array)


def make_ranked_entry(
    values: Mapping[str, int], *, views: Sequence[str] = RANKINGS, **metadata: Any
) -> Entry:
    """An entry of a list of repositories, ranked alike by every metric."""
    ranked = sorted(values.items(), key=lambda item: (-item[1], item[0]))
    view = JsonArray.join((json.dumps(item).encode() for item in ranked), b", ")
    plain = make_list_entry(len(values), **metadata)
    return replace(plain, views=dict.fromkeys(views, view))


def compressed(entry: Entry) -> Entry:
    """The same entry with its body stored compressed, too."""
    return replace(entry, encoded={one.name: one.compress(bytes(entry.body)) for one in TABLE})


def make_failure(**known: Any) -> Failure:
    """The record of a refresh that failed at `NOW`."""
    defaults: dict[str, Any] = {
        "kind": FailureKind.STATUS,
        "reason": "GitHub answered 502",
        "status": 502,
        "attempts": 1,
        "since": NOW,
        "at": NOW,
        "retry_at": NOW + 5,
    }
    return Failure(**{**defaults, **known})


def make_settings(**known: Any) -> Settings:
    """Valid settings; the others are the defaults."""
    return load(**known)


def tracked(name: str) -> Resource:
    """A tracked resource of `CATALOGUE` by its name."""
    found = CATALOGUE.named(name)
    assert found is not None
    assert found.tracked
    return found


def on_demand(name: str) -> Resource:
    """A resource on demand by its name."""
    found = CATALOGUE.named(name)
    assert found is not None
    assert not found.tracked
    return found


def absent_redis() -> Redis:
    """A client of a Redis that is away."""
    return Redis("127.0.0.1", free_port(), retry=Retry(NoBackoff(), 0))


def redis_fields(entry: Entry) -> dict[str, bytes | float]:
    """All fields of an entry's hash, as a refresher writes them; an older one names no token."""
    metadata = entry.metadata
    freshness = {"validated_at": metadata.validated_at, "fresh_until": metadata.fresh_until}
    token = {"confirmed_by": str(metadata.confirmed_by).encode()} if metadata.confirmed_by else {}
    first: dict[str, bytes | float] = {"first_at": metadata.first_at} if metadata.first_at else {}
    return {**content_fields(entry), **freshness, **token, **first}


def store_entry(redis: Redis, resource: Resource, entry: Entry) -> Entry:
    """Put an entry in Redis as a refresher does, except for announcing it; return it as stored."""
    form, derived = resource.stored_form, resource.kind.derived
    entry = replace(entry, metadata=replace(entry.metadata, form=form, derived=derived))
    with redis.pipeline() as pipeline:
        pipeline.delete(keys.entry(resource))
        pairs = redis_fields(entry).items()
        pipeline.hset(keys.entry(resource), items=[part for pair in pairs for part in pair])
        pipeline.execute()
    return entry


def store_failure(redis: Redis, resource: Resource, failure: Failure) -> None:
    """Put the record of a failed refresh in Redis."""
    redis.set(keys.failure(resource), failure.to_json())


def announce(redis: Redis, resource: Resource) -> int:
    """Say that a resource changed; returns the announcement's number."""
    number = redis.incr(keys.CHANGES)
    redis.publish(keys.ANNOUNCE, json.dumps({"name": resource.name, "number": number}))
    return number


def queued_names(redis: Redis) -> list[str]:
    """The names of the resources whose refreshes are queued, the next one first."""
    ids = cast(list[bytes], redis.lrange("rq:queue:refresh", 0, -1))
    return [_name_of_job(redis, one) for one in ids]


def _name_of_job(redis: Redis, job_id: bytes) -> str:
    description = cast(bytes, redis.hget(f"rq:job:{job_id.decode()}", "description"))
    return description.decode().removeprefix("refresh ")


def stale(resource: Resource) -> RefreshRequest:
    """A request for a refresh because of stale content."""
    return RefreshRequest(resource, Priority.STALE)


def waiting(resource: Resource, client: str = "192.0.2.1") -> RefreshRequest:
    """A request for a refresh that a client waits for."""
    return RefreshRequest(resource, Priority.WAITING, client=client)


def order_of(redis: Redis) -> list[str]:
    """The names of the queued resources in the order of lanes and priorities."""
    names: list[str] = []
    for lane in Lane:
        for priority in Priority:
            ids = cast(list[bytes], redis.zrange(keys.order(lane, priority), 0, -1))
            names += [_name_of_job(redis, one) for one in ids]
    return names

"""What commands work with: Redis, what is tracked, and how all of it is at the moment."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import click
from flask import current_app
from redis import Redis, RedisError, exceptions

from reader.fleet.snapshot import Fleet, FleetWatch, TrackedView
from reader.process import ReaderProcess
from reader.status.page_input import PageInput
from shared.queueing import RefreshQueue
from shared.redis import keys
from shared.redis.connection import connect, reason_of
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.settings import Settings

_SCANNED_AT_ONCE = 1000


@dataclass(frozen=True)
class CommandContext:
    """A command's tools; methods may raise `redis.RedisError`.

    Args:
        settings: of the process.
        redis: a client.
        catalogue: what is tracked.
        queue: where refreshes are asked for.
        watch: looks at the fleet.
        store: what is stored of resources.
    """

    settings: Settings
    redis: Redis
    catalogue: Catalogue
    queue: RefreshQueue
    watch: FleetWatch
    store: Store

    def fleet(self) -> Fleet:
        """The fleet at this moment."""
        self.watch.forget()
        return self.watch.snapshot()

    def view(self, resource: Resource) -> TrackedView:
        """What is stored of a resource."""
        return self.watch.views([resource], now=time.time())[0]

    def page_input(self, fleet: Fleet) -> PageInput:
        """The same fleet, as the rows of the status page are made of."""
        name = f"{socket.gethostname()}:{self.settings.port}"
        return PageInput(fleet.now, fleet, fleet.tracked, None, name, self.settings)

    def resource(self, path: str) -> Resource:
        """The resource of a path, with its query.

        Raises:
            click.ClickException: it is not to be had here.
        """
        found = self.catalogue.named(path)
        if found is None:
            hint = "README names what is served" if path.startswith("/") else "paths begin with /"
            raise click.ClickException(f"{path!r} is not to be had here: {hint}.")
        return found

    def on_demand(self, limit: int) -> Sequence[Resource]:
        """On-demand resources that are stored, in no order, so many at the most."""
        found: dict[str, Resource] = {}
        batch: list[bytes] = []
        for key in self.redis.scan_iter(match=keys.ENTRIES, count=_SCANNED_AT_ONCE):
            batch.append(cast(bytes, key))
            if len(batch) >= _SCANNED_AT_ONCE:
                self._name(batch, found)
                batch = []
            if len(found) >= limit:
                break
        self._name(batch, found)
        return list(found.values())[:limit]

    def _name(self, entries: Sequence[bytes], found: dict[str, Resource]) -> None:
        with self.redis.pipeline(transaction=False) as pipeline:
            for key in entries:
                pipeline.hget(key.decode(), "name")
            names = cast(list[bytes | None], pipeline.execute())
        for key, name in zip(entries, names, strict=True):
            resource = None if name is None else self.catalogue.named(name.decode())
            # Under another key lies what processes of other settings stored.
            is_ours = resource is not None and keys.entry(resource) == key.decode()
            if resource is not None and is_ours and not resource.tracked:
                found[resource.id] = resource


@contextmanager
def context() -> Iterator[CommandContext]:
    """The tools of a command; Redis going away ends it with one line.

    Raises:
        click.ClickException: Redis does not answer, or refuses.
    """
    process = current_app.extensions["process"]
    assert isinstance(process, ReaderProcess)
    redis = connect(process.settings)
    try:
        yield CommandContext(
            process.settings,
            redis,
            process.catalogue,
            RefreshQueue(redis, limit=process.settings.queue_max),
            FleetWatch(redis, process.catalogue),
            Store(redis),
        )
    except RedisError as error:
        raise click.ClickException(complaint(error)) from error
    finally:
        redis.close()


def complaint(error: RedisError) -> str:
    """What is wrong with Redis, in one line."""
    name = type(error).__name__
    if isinstance(error, exceptions.AuthenticationError):
        return f"Redis refuses the password, or wants one ({name})"
    if isinstance(error, (exceptions.ConnectionError, exceptions.TimeoutError)):
        return f"Redis does not answer ({reason_of(error)})"
    return f"Redis refuses what it is asked for: {error}"

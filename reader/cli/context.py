"""What a command works with: settings, Redis, the tracked resources, and the fleet's state."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast

import click
from flask import current_app
from redis import Redis, RedisError, exceptions

from reader.fleet.snapshot import FleetWatch
from reader.fleet.view import Fleet, TrackedView
from reader.process import ReaderProcess
from reader.status.page_input import PageInput
from shared.clock import Clock, FleetClock
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.connection import connect, reason_of
from shared.redis.lifetimes import Lifetimes
from shared.redis.store import Store
from shared.redis.trouble import WORDS, trouble_of
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.settings import Settings

_SCANNED_AT_ONCE = 1000


@dataclass(frozen=True)
class CommandContext:
    """What a command works with; methods may raise `redis.RedisError`.

    Args:
        settings: of the process.
        redis: a client.
        catalogue: the tracked resources.
        queue: the refresh queue.
        watch: takes snapshots of the fleet.
        store: reads entries.
        fleet_clock: Redis's clock, and how far this machine's is off.
    """

    settings: Settings
    redis: Redis
    catalogue: Catalogue
    queue: RefreshQueue
    watch: FleetWatch
    store: Store
    fleet_clock: FleetClock

    @property
    def clock(self) -> Clock:
        """The time by Redis's clock."""
        return self.fleet_clock.clock

    def fleet(self) -> Fleet:
        """The fleet at present."""
        self.watch.discard()
        return self.watch.snapshot()

    def view(self, resource: Resource) -> TrackedView:
        """The state of a resource."""
        return self.watch.views([resource], now=self.clock.now())[0]

    def page_input(self, fleet: Fleet) -> PageInput:
        """A fleet as the input of the status page's rows."""
        name = f"{socket.gethostname()}:{self.settings.port}"
        return PageInput(
            fleet.now, fleet, fleet.tracked, None, name, self.settings, is_operator=True
        )

    def resource(self, path: str) -> Resource:
        """The resource of a path with its query.

        Raises:
            click.ClickException: this cache does not serve it.
        """
        found = self.catalogue.written(path)
        if found is None:
            hint = "README lists what is served" if path.startswith("/") else "paths begin with /"
            raise click.ClickException(f"{path!r} is not served by this cache: {hint}.")
        return found

    def on_demand(self, limit: int) -> Sequence[Resource]:
        """At most so many stored on-demand resources, in no particular order."""
        found: dict[str, Resource] = {}
        batch: list[bytes] = []
        for key in self.redis.scan_iter(match=keys.ENTRIES, count=_SCANNED_AT_ONCE):
            batch.append(cast(bytes, key))
            if len(batch) >= _SCANNED_AT_ONCE:
                self._add_named(batch, found)
                batch = []
            if len(found) >= limit:
                break
        self._add_named(batch, found)
        return list(found.values())[:limit]

    def _add_named(self, entries: Sequence[bytes], found: dict[str, Resource]) -> None:
        with self.redis.pipeline(transaction=False) as pipeline:
            for key in entries:
                pipeline.hget(key.decode(), "name")
            names = pipeline.execute(raise_on_error=False)
        for key, name in zip(entries, names, strict=True):
            is_known = isinstance(name, bytes)  # else it is damaged, or has just gone
            resource = self.catalogue.named(name.decode(errors="replace")) if is_known else None
            # Entries of processes with other settings have other keys.
            is_ours = resource is not None and keys.entry(resource) == key.decode()
            if resource is not None and is_ours and not resource.tracked:
                found[resource.id] = resource


@contextmanager
def command_context() -> Iterator[CommandContext]:
    """The context of a command; an error of Redis ends the command with one line.

    Raises:
        click.ClickException: Redis does not respond, or refuses a command.
    """
    process = current_app.extensions["process"]
    assert isinstance(process, ReaderProcess)
    redis, clock = connect(process.settings), process.fleet_clock
    store = Store(redis, clock=clock, lifetimes=Lifetimes.of(process.settings))
    try:
        with suppress(exceptions.ConnectionError, exceptions.TimeoutError):
            clock.measure(redis)
        yield CommandContext(
            process.settings,
            redis,
            process.catalogue,
            RefreshQueue(redis, QueueLimits.of(process.settings)),
            FleetWatch(redis, process.catalogue, store=store, clock=clock.now),
            store,
            clock,
        )
    except RedisError as error:
        raise click.ClickException(complaint(error)) from error
    finally:
        redis.close()


def complaint(error: RedisError) -> str:
    """An error of Redis in one line."""
    name = type(error).__name__
    trouble = trouble_of(error)
    if trouble is not None:
        return f"{WORDS[trouble].title}: {WORDS[trouble].advice}"
    if isinstance(error, exceptions.AuthenticationError):
        return f"Redis refuses the password, or requires one ({name})"
    if isinstance(error, (exceptions.ConnectionError, exceptions.TimeoutError)):
        return f"Redis does not respond ({reason_of(error)})"
    return f"Redis refuses the command: {error}"

"""A Redis that runs our scripts in a Lua interpreter, with time and expiry on virtual time.

`tests/simulation/test_model_redis.py` holds it against a real one. One command, script or pipeline
is one step: other processes act before it and after it, never within.
"""

import copy
import heapq
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeVar

import fakeredis
from fakeredis import FakeServer
from fakeredis.commands_mixins import scripting_mixin
from redis import ConnectionError as RedisConnectionError
from redis import TimeoutError as RedisTimeoutError
from redis.client import Pipeline

from shared.redis.scripts import Script
from tests.simulation.hub import BEGINNING, Hub, SimProcess, Task

T = TypeVar("T")
USUAL_LATENCY = (0.0002, 0.003)  # seconds of one way
# Seconds after a jump in which processes may still stamp by the clock from before it: they measure
# once in a few seconds, and a refresh has the time at which it began.
_STILL_BELIEVED_S = 30.0
_MODULES = [one for name, one in sys.modules.items() if name.startswith("fakeredis")]


@contextmanager
def timed(clock: Callable[[], float]) -> Iterator[None]:
    """Let every model of a Redis have this Unix time (seconds) inside the block."""
    shown = SimpleNamespace(**vars(time))
    shown.time = clock
    checked = scripting_mixin._check_for_lua_globals
    # It compares all of Lua's globals after each call; our scripts set none.
    scripting_mixin._check_for_lua_globals = lambda *_: None
    before = [(one, one.time) for one in _MODULES if getattr(one, "time", None) is time]
    for module, _ in before:
        module.time = shown  # type: ignore[attr-defined]
    try:
        yield
    finally:
        scripting_mixin._check_for_lua_globals = checked
        for module, original in before:
            module.time = original  # type: ignore[attr-defined]


@cache
def _scripts() -> dict[str, str]:
    """The names of the product's scripts, by their digests and texts."""
    found = {}
    for module, loaded in sorted(sys.modules.items()):
        if module.partition(".")[0] in {"reader", "refresher", "shared"}:
            for name, value in vars(loaded).items():
                if isinstance(value, Script):
                    found[value.digest] = found[value.text] = name.strip("_")
    return found


def name_of(command: Sequence[Any]) -> str:
    """What a step is called in the trace: a command, or the name of its script."""
    name = str(command[0])
    return _scripts().get(command[1], name) if name in {"EVALSHA", "EVAL"} else name


class ModelRedis:
    """The server, and what can go wrong with it.

    Args:
        hub: virtual time.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.server = FakeServer(version=(7,))
        self.is_away = False
        self.cut_off: set[SimProcess] = set()
        self.reply_lost_share = 0.0
        self.reply_late_share = 0.0
        self.clients_late_share = 0.0  # of the replies to threads in which clients wait
        self.pubsub_lost_share = 0.0
        self.latency = USUAL_LATENCY
        self.steps = 0
        self.restarts = 0
        self.losses = 0
        self.lost_at = self.was_set_back_at = -1.0  # virtual seconds of the last time; -1 for never
        self._skews = [(0.0, 0.0)]  # virtual seconds, and by how much its clock is ahead since then
        self._listeners: list[tuple[Task, Callable[[], bool]]] = []
        self.before_step: Callable[[SimProcess, str], None] = lambda *_: None
        self.after_step: Callable[[SimProcess, str], None] = lambda *_: None
        self.checker: Any = fakeredis.FakeRedis(server=self.server)

    @property
    def unix(self) -> float:
        """Unix time in seconds by the server's own clock, on which `TIME` and expiry depend."""
        return self.hub.unix + self._skews[-1][1]

    def set_clock(self, by: float) -> None:
        """Let its clock jump by some seconds, from now on."""
        if by < 0:
            self.was_set_back_at = self.hub.now
        self._skews.append((self.hub.now, self._skews[-1][1] + by))

    def earliest(self, unix: float) -> float:
        """The first virtual second at which a process may have stamped this Unix time by it."""
        found = []
        for at, (since, skew) in enumerate(self._skews):
            until = self._skews[at + 1][0] if at + 1 < len(self._skews) else float("inf")
            time = unix - BEGINNING - skew
            if since - 1 <= time <= until + _STILL_BELIEVED_S:
                found.append(time)
        return min(found, default=unix - BEGINNING - self._skews[-1][1])

    def client(self) -> "SimRedis":
        """A client for the process of the running task."""
        return SimRedis(self)

    def step(self, name: str, work: Callable[[], T]) -> T:
        """Do one step on behalf of the running task: request, work, reply."""
        hub = self.hub
        process = hub.process
        if process is None:
            return work()
        hub.sleep(hub.dice.uniform(*self.latency))
        self.before_step(process, name)
        self._reach(process)
        self.steps += 1
        error: Exception | None = None
        try:
            result = work()
        except Exception as failed:  # after the reply's way
            error = failed
        self.after_step(process, name)
        self._wake_listeners()
        hub.sleep(hub.dice.uniform(*self.latency))
        if hub.dice.random() < self.reply_late_share:
            hub.sleep(hub.dice.uniform(1, 4))
        of_client = hub.task is not None and hub.task.name.startswith("client")
        if of_client and hub.dice.random() < self.clients_late_share:
            hub.sleep(hub.dice.uniform(1, 6))
        if hub.dice.random() < self.reply_lost_share:
            raise RedisTimeoutError("the reply was lost")
        self._reach(process)
        if error is not None:
            raise error
        return result

    def _reach(self, process: SimProcess) -> None:
        if self.is_away or process in self.cut_off:
            raise RedisConnectionError("away")

    def wait_for(self, is_there: Callable[[], bool], seconds: float) -> None:
        """Let the running task wait until a step makes something true, at most some seconds."""
        task = self.hub.task
        assert task is not None
        if not is_there():
            listener = (task, is_there)
            self._listeners.append(listener)
            try:
                self.hub.park(seconds)
            finally:
                self._listeners.remove(listener)

    def _wake_listeners(self) -> None:
        for task, is_there in self._listeners:
            if not task.process.is_dead and is_there():
                self.hub.wake(task)

    def snapshot(self) -> object:
        """All data, as a disk holds it."""
        return copy.deepcopy(self.server.dbs[0]._dict)

    def restore(self, snapshot: Any) -> None:
        """Restart with the data of a snapshot; None for an empty server."""
        db = self.server.dbs[0]
        db._dict.clear()
        db._dict.update({} if snapshot is None else copy.deepcopy(snapshot))
        db._expiry_heap[:] = [
            (item.expireat, key) for key, item in db._dict.items() if item.expireat is not None
        ]
        heapq.heapify(db._expiry_heap)
        self.server.script_cache.clear()
        self.restarts += 1
        self.losses += 1
        self.lost_at = self.hub.now
        self._wake_listeners()


class SimRedis(fakeredis.FakeRedis):
    """A client whose steps take virtual time, and may fail."""

    def __init__(self, model: ModelRedis, **_: Any) -> None:
        self.model = model
        super().__init__(server=model.server)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """One command."""
        run: Callable[..., Any] = super().execute_command
        return self.model.step(name_of(args), lambda: run(*args, **options))

    def pipeline(self, transaction: Any = True, shard_hint: Any = None) -> Any:
        """A pipeline, which is one step."""
        return _Pipeline(self, transaction, shard_hint)

    def blpop(self, keys: Any, timeout: float | None = 0) -> Any:
        """Wait on virtual time for a list to have an element, and take it."""
        hub, model = self.model.hub, self.model
        names = [one.encode() for one in ([keys] if isinstance(keys, str) else keys)]
        until, restarts = hub.now + (timeout or 1e9), model.restarts

        def there() -> bool:
            return model.restarts != restarts or any(
                one in model.server.dbs[0]._dict for one in names
            )

        while hub.now < until:
            found = self.model.step("BLPOP", lambda: self._popped(names))
            if found is not None:
                return found
            model.wait_for(there, until - hub.now)
            if model.restarts != restarts:
                raise RedisConnectionError("restarted")
        return None

    def xread(  # type: ignore[override]
        self, streams: Any, count: int | None = None, block: int | None = None
    ) -> Any:
        """Wait on virtual time for a stream to have more events, and read them."""
        hub, model = self.model.hub, self.model
        until, restarts = hub.now + (block or 0) / 1000, model.restarts
        there, names = model.server.dbs[0]._dict, [name.encode() for name in streams]

        def length() -> int:
            return sum(len(there[name].value) for name in names if name in there)

        def is_longer() -> bool:
            return length() != known

        known = length()
        while True:
            found = super().xread(streams, count=count)
            if found or hub.now >= until:
                return found
            model.wait_for(is_longer, until - hub.now)
            if model.restarts != restarts:
                raise RedisConnectionError("restarted")

    def _popped(self, names: list[bytes]) -> tuple[bytes, bytes] | None:
        there = self.model.server.dbs[0]._dict
        name = next((one for one in names if one in there), None)
        value = None if name is None else self.model.checker.lpop(name)
        return None if name is None or value is None else (name, value)

    def pubsub(self, **_: Any) -> "_PubSub":
        """A subscription."""
        return _PubSub(self.model)


class _Pipeline(Pipeline):
    def __init__(self, client: SimRedis, transaction: Any, shard_hint: Any) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self._model = client.model

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        if not self.command_stack:
            return []
        names = ",".join(sorted({name_of(one[0]) for one in self.command_stack}))
        run = super().execute
        return self._model.step(names, lambda: run(raise_on_error))


class _PubSub:
    """A subscription; messages may be lost, and a restart ends it."""

    def __init__(self, model: ModelRedis) -> None:
        self._model = model
        self._restarts = model.restarts
        self._real = model.checker.pubsub()

    def __enter__(self) -> "_PubSub":
        return self

    def __exit__(self, *_: object) -> None:
        self._real.close()

    def subscribe(self, channel: str) -> None:
        """Subscribe."""
        self._model.step("SUBSCRIBE", lambda: self._real.subscribe(channel))

    def get_message(self, timeout: float = 0) -> Any:
        """The next message; None if none comes in time."""
        hub, model = self._model.hub, self._model
        until, process = hub.now + timeout, hub.process
        while True:
            if model.is_away or process in model.cut_off or model.restarts != self._restarts:
                raise RedisConnectionError("the subscription has ended")
            message = self._real.get_message(timeout=0)
            if message is not None:
                hub.sleep(hub.dice.uniform(*model.latency))
                is_lost = hub.dice.random() < model.pubsub_lost_share
                if message["type"] == "subscribe" or not is_lost:
                    return message
            elif hub.now >= until:
                return None
            else:
                model.wait_for(self._has_news, until - hub.now)

    def _has_news(self) -> bool:
        sock = self._real.connection._sock
        return bool(sock.responses.qsize()) or self._model.restarts != self._restarts

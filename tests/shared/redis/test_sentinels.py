"""No sentinel is lost where several threads ask."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import cast

from redis import ConnectionError as RedisConnectionError
from redis import Redis
from redis.sentinel import Sentinel

from shared.redis.sentinels import AllSentinels, keep_all_sentinels


class StandInSentinel:
    """Answers once both of two threads have asked, as at a failover."""

    def __init__(self, name: str, both: Barrier | None) -> None:
        self.name = name
        self._both = both

    def sentinel_masters(self) -> dict[str, dict[str, object]]:
        if self._both is None:
            raise RedisConnectionError
        self._both.wait(60)
        state = {"is_master": True, "is_sdown": False, "is_odown": False}
        return {"cache": {**state, "num-other-sentinels": 2, "ip": "10.0.0.1", "port": 6379}}


def test_no_sentinel_is_forgotten_when_two_threads_ask_at_once() -> None:
    both = Barrier(2)
    asked = AllSentinels([])  # type: ignore[no-untyped-call]
    known = [
        StandInSentinel("down", None),
        StandInSentinel("up", both),
        StandInSentinel("spare", None),
    ]
    asked.sentinels = cast(list[Redis], known)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(asked.discover_master, ["cache"] * 2))
    assert found == [("10.0.0.1", 6379)] * 2
    left = cast(list[StandInSentinel], asked.sentinels)
    assert sorted(one.name for one in left) == ["down", "spare", "up"]
    assert left[0].name == "up", "it is asked first from now on"


def test_a_client_that_rq_made_keeps_them_too() -> None:
    theirs = Sentinel([("a", 1), ("b", 2)])  # type: ignore[no-untyped-call]
    client = theirs.master_for("cache")  # type: ignore[no-untyped-call]
    keep_all_sentinels(client)
    assert isinstance(client.connection_pool.proxy.sentinel_manager, AllSentinels)
    assert client.connection_pool.sentinel_manager.sentinels == theirs.sentinels

"""A refresher says how far its machine's clock is from Redis's."""

import logging
import time

import pytest
from redis import Redis

from refresher.reporting.clock_report import ClockReport
from shared.clock import Clock, FleetClock
from shared.redis import keys

LOG = logging.getLogger("refresher")


@pytest.mark.parametrize("error", [-3600, -0.5, 0.5, 600])
def test_the_skew_is_stored_and_named_once_if_it_is_large(
    redis: Redis, error: float, caplog: pytest.LogCaptureFixture
) -> None:
    up = [0.0]
    clock = FleetClock(Clock(lambda: redis.time()[0] + error, lambda: up[0], time.sleep))
    report = ClockReport(redis, "w1", clock=clock, log=LOG)
    for up[0] in (0, 5, 11, 22):
        report.report()
    assert float(redis.hget(keys.refresher("w1"), "skew") or 0) == pytest.approx(error, abs=60)
    assert redis.ttl(keys.refresher("w1")) > 900
    named = [message for message in caplog.messages if "the clock of this machine is" in message]
    assert len(named) == (abs(error) > 2)


def test_it_is_measured_every_few_seconds_only(redis: Redis) -> None:
    up = [0.0]
    clock = FleetClock(Clock(lambda: 0.0, lambda: up[0], time.sleep))
    report = ClockReport(redis, "w1", clock=clock, log=LOG)
    report.report()
    redis.delete(keys.refresher("w1"))
    up[0] = 9
    report.report()
    assert not redis.exists(keys.refresher("w1"))
    up[0] = 10
    report.report()
    assert redis.exists(keys.refresher("w1"))

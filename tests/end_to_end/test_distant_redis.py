"""A distant Redis costs a miss a few round trips, one after the other."""

import statistics
from pathlib import Path

from bench.misses import load
from bench.misses.figures import times_above
from bench.misses.load import Load
from bench.misses.origin_process import OriginProcess
from scripts.embedded_redis import EmbeddedRedis
from tests.end_to_end.distant_redis import DistantRedis
from tests.end_to_end.fleet import Fleet

# Seconds: long, so that what other tests do on the same processors does not count.
ROUND_TRIP = 0.12
# Of the reader: find nothing and request, which wakes the refresher. Of the refresher: take
# the job, lock, begin, reserve, store, which wakes the reader: half a round trip each way. Of the
# reader: read what is stored.
ROUND_TRIPS = 7
MISSES = 7


def test_a_miss_costs_a_few_round_trips(tmp_path: Path) -> None:
    redis = DistantRedis(EmbeddedRedis(tmp_path / "distant"), round_trip=ROUND_TRIP)
    with (
        OriginProcess(tmp_path / "origin", repositories=5) as origin,
        Fleet(tmp_path, origin.url, redis, ORIGIN_POINTS_PER_MINUTE=1_000_000) as fleet,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        origin.delay(0.05)
        port = int(reader.url.rpartition(":")[2])
        load.run(Load(port, 1, 0, 3, 3, seconds=30))  # opens connections
        origin.log()
        requests = load.run(Load(port, 1, 100, MISSES, MISSES, seconds=60)).requests
        seen, _ = origin.log()
    above = statistics.median(times_above(requests, seen)) / 1000
    assert int(above / ROUND_TRIP) <= ROUND_TRIPS, above

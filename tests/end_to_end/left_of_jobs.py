"""What jobs leave in Redis, for tests that expect nothing."""

import time

from redis import Redis
from rq import Queue
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from shared.queue_order import Lane
from shared.queueing import QUEUE
from shared.redis import keys

_MAINTAINED = 200.0  # seconds after which no execution of now is registered


def left_of_jobs(redis: Redis) -> list[str]:
    """The names of what is left of jobs.

    Once nothing is requested any more it is nothing. What a killed refresher leaves ends by itself,
    or RQ's maintenance removes it, which is done here as if it were later.
    """
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    started = StartedJobRegistry(queue=queue)
    started.cleanup(timestamp=time.time() + _MAINTAINED)
    patterns = (keys.order("*", "*"), keys.PLACES, keys.bell("*"), keys.waits("*"))
    marks = (*(f"{keys.TURNS}{lane}" for lane in Lane), f"{keys.RUNNING}*", "redlock:*")
    found = [key for pattern in (*patterns, *marks) for key in redis.scan_iter(pattern, count=1000)]
    for pattern in ("rq:job:*", "rq:execution*"):
        found += [key for key in redis.scan_iter(pattern, count=1000) if redis.ttl(key) == -1]
    jobs = [*queue.job_ids, *started.get_job_ids(cleanup=False)]
    return [*(key.decode() for key in found), *jobs]

"""Hands a job that this refresher leaves alone to the others, in one step in Redis.

While settings change, refreshers with old and new ones share a queue, and each can do only a part
of its jobs. A refresher that only dropped the others' jobs would meet them again when readers
request them anew. Two such jobs can go in step for minutes: each always comes to the refresher that
cannot do it. So the job goes back to the queue at once, where refreshers that wait for a job take
it before the one that has just left it. When it has been handed on as often as there are
refreshers, it is dropped, and readers request it again within a second.
"""

from typing import Final

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from refresher.dispatch.take import REMEMBER_JOB_S
from shared import point_buckets
from shared.queue_order import Lane, Priority
from shared.queueing import QUEUE, make_job, resource_id_of
from shared.redis import keys
from shared.redis.scripts import Script

HANDED_ON: Final = "handed_on"  # key in a job's `meta`: how often it was

# KEYS: 1 RQ's list, 2 the new job, 3 queued, 4 places, 5 order of its lane and priority, 6 the
#       lane's bell, 7 RQ's set of workers.
# ARGV: 1 job id; 2 lane; 3 priority; 4 how often it was handed on, now included; 5 seconds that the
#       job is remembered; then the fields and values of its record.
# Returns whether it is in the queue.
_HAND_ON = Script(
    point_buckets.LUA
    + """
if tonumber(ARGV[4]) > redis.call('SCARD', KEYS[7]) then return 0 end
local now = string.format('%.3f', now_by_redis())
redis.call('HSET', KEYS[2], unpack(ARGV, 6))
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('SET', KEYS[3], ARGV[1], 'EX', ARGV[5])
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[5], now, ARGV[1])
redis.call('HSET', KEYS[4], ARGV[1], string.format('%s %s %s 0', ARGV[2], ARGV[3], now))
if redis.call('LLEN', KEYS[6]) == 0 then redis.call('RPUSH', KEYS[6], 1) end
return 1
"""
)


def hand_on(redis: Redis, job: Job) -> bool:
    """Put a job that this refresher does not do back into the queue, for another one.

    Its lane becomes that of tracked content, whatever it was: only a process that stores the
    resource in the job's form knows the right one.

    Args:
        redis: the fleet's Redis.
        job: that was taken from the queue.

    Returns:
        Whether it is there; False if it was handed on as often as there are refreshers.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    resource_id, lane, priority = resource_id_of(job.id), Lane.TRACKED, Priority.INVALIDATED
    new = _copy_of(job, resource_id, redis)
    script_keys = [
        *(Queue(QUEUE, connection=redis).key, new.key, keys.QUEUED + resource_id, keys.PLACES),
        *(keys.order(lane, priority), keys.bell(lane), WORKERS_BY_QUEUE_KEY % QUEUE),
    ]
    fields = [part for pair in new.to_dict().items() for part in pair]
    arguments = [new.id, lane, priority, new.meta[HANDED_ON], REMEMBER_JOB_S, *fields]
    return bool(_HAND_ON(redis, script_keys, arguments))


def _copy_of(job: Job, resource_id: str, redis: Redis) -> Job:
    count = job.meta.get(HANDED_ON)
    meta = job.meta | {HANDED_ON: count + 1 if isinstance(count, int) else 1}
    name = str(job.args[0])
    return make_job(redis, resource_id, str(job.func_name), name, options=job.kwargs, meta=meta)

"""Takes the next jobs from the queue, in the order of `shared.queue_order`, in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis
from rq import Queue
from rq.suspension import WORKERS_SUSPENDED

from shared import point_buckets
from shared.queue_order import PRIORITIES, TURN, Lane, Priority
from shared.queue_scripts import BEGIN_ROUND, DROP, RECONCILE
from shared.queueing import CLAIM, JOB_PREFIX, JOB_TIMEOUT, QUEUE
from shared.redis import keys
from shared.redis.scripts import Batch, Script
from shared.settings import Settings

# A job whose worker was killed leaves its record, which ends by itself.
REMEMBER_JOB_S = int(1.5 * JOB_TIMEOUT.total_seconds())

# Takes jobs.
# KEYS: 1 RQ's list, 2 places, 3 points, 4 suspended.
# ARGV: 1 to 6 prefixes of order, turns, bell, picks (counters of attempts to take a job, which
#       give each priority its turn), running and RQ's jobs; 7 milliseconds for
#       which a taken resource counts as running; 8 seconds that a job is remembered; 9 points a
#       minute; 10 share kept for tracked resources; 11 jobs to take; then each lane with the number
#       that it may give.
# Returns a state ('suspended' or ''), the seconds until on-demand jobs may be taken again (0: now),
# and of each job: id, lane, priority, seconds in the queue, fields and values of its record.
TAKE = (
    f"""
local PRIORITIES = {{{", ".join(f"'{one}'" for one in PRIORITIES)}}}
local LANES = {{{", ".join(f"'{one}'" for one in Lane)}}}
local TURN = {TURN}
local CLAIM = '{CLAIM}'
"""
    + DROP
    + BEGIN_ROUND
    + RECONCILE
    + point_buckets.LUA
    + """
if redis.call('EXISTS', KEYS[4]) == 1 then return {'suspended', '0'} end
local now = now_by_redis()
local order, turns, bell, picks = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

reconcile(KEYS[1], KEYS[2], order, turns, now)

-- The next job of a lane, and its place: by priority, except that each priority has its turn.
local function next_of(lane)
  local pick, first = redis.pcall('INCR', picks .. lane), 0
  if type(pick) == 'table' then  -- damaged
    redis.call('SET', picks .. lane, 1)
    pick = 1
  end
  if pick % TURN == 0 then first = math.floor(pick / TURN) % #PRIORITIES end
  for step = 0, #PRIORITIES - 1 do
    local priority = PRIORITIES[(first + step) % #PRIORITIES + 1]
    local name = order .. lane .. ':' .. priority
    while true do
      local found = redis.call('ZRANGE', name, 0, 0, 'WITHSCORES')
      local job = found[1]
      if not job then break end
      redis.call('ZREM', name, job)
      local since, deadline = string.match(
        redis.call('HGET', KEYS[2], job) or '', '%S+ %S+ (%S+) (%S+)')
      if priority == 'waiting' then begin_round(turns .. lane, name, found[2]) end
      if priority == 'waiting' and since and tonumber(deadline) < now then
        -- Its clients have given up.
        redis.call('ZADD', order .. lane .. ':missing', now, job)
        redis.call('HSET', KEYS[2], job, string.format('%s missing %s 0', lane, since))
      else
        redis.call('HDEL', KEYS[2], job)
        if redis.call('LREM', KEYS[1], 1, job) > 0 then return job, priority, since end
      end
    end
  end
end

local left_to_take, jobs, again = tonumber(ARGV[11]), {}, 0
for at = 12, #ARGV, 2 do
  local lane, room = ARGV[at], math.min(tonumber(ARGV[at + 1]), left_to_take)
  if lane == 'on-demand' then
    local points, reserve = tonumber(ARGV[9]), tonumber(ARGV[10])
    local _, left = bucket_levels(KEYS[3], points, reserve, now)
    room = math.min(room, math.floor(left))
    if left < 1 then again = 60 * (1 - left) / (points * (1 - reserve)) end
  end
  while room > 0 do
    local job, priority, since = next_of(lane)
    if not job then break end
    local record = redis.call('HGETALL', ARGV[6] .. job)
    if #record > 0 then
      redis.call('EXPIRE', ARGV[6] .. job, ARGV[8])
      redis.call('SET', ARGV[5] .. string.match(job, '^[^-]*'), CLAIM, 'NX', 'PX', ARGV[7])
      jobs[#jobs + 1] = {job, lane, priority, tostring(now - tonumber(since or now)), record}
      room, left_to_take = room - 1, left_to_take - 1
    end
  end
end

for _, lane in ipairs(LANES) do
  local holds_jobs = 0
  for _, priority in ipairs(PRIORITIES) do
    holds_jobs = holds_jobs + redis.call('EXISTS', order .. lane .. ':' .. priority)
  end
  if holds_jobs == 0 then redis.call('DEL', bell .. lane)
  elseif redis.call('LLEN', bell .. lane) == 0 then redis.call('RPUSH', bell .. lane, 1) end
end
return {'', tostring(again), unpack(jobs)}
"""
)
_TAKE = Script(TAKE)


@dataclass(frozen=True)
class TakenJob:
    """A job that was taken from the queue.

    Args:
        id: RQ's.
        lane: whose limit it counts against.
        priority: why it was requested.
        waited: seconds in the queue.
        record: RQ's record of it.
    """

    id: str
    lane: Lane
    priority: Priority
    waited: float
    record: dict[bytes, bytes]


@dataclass(frozen=True)
class Taken:
    """What the queue gave.

    Args:
        jobs: in order.
        is_suspended: an operator has paused refreshing.
        again: seconds until on-demand jobs may be taken, because the bucket of on-demand points is
            empty; 0 for now.
    """

    jobs: Sequence[TakenJob]
    is_suspended: bool = False
    again: float = 0.0


class JobTaker:
    """Takes jobs; several refreshers, and several threads, may do so at the same time.

    Args:
        redis: the fleet's Redis.
        settings: of the process.
    """

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._queue = Queue(QUEUE, connection=redis)
        self._settings = settings

    def add(self, batch: Batch, wanted: Sequence[tuple[Lane, int]], *, most: int) -> None:
        """Add the script to a batch; `taken_from` parses its reply.

        Args:
            batch: of commands.
            wanted: lanes, each with the number of jobs that it may give; the first comes first.
            most: number of jobs to take from all lanes together.
        """
        settings = self._settings
        script_keys = [self._queue.key, keys.PLACES, keys.POINTS, WORKERS_SUSPENDED]
        arguments = [
            *(keys.ORDER, keys.TURNS, keys.BELLS, keys.PICKS, keys.RUNNING, JOB_PREFIX),
            *(int(1000 * settings.lock_ttl), REMEMBER_JOB_S),
            *(settings.origin_points_per_minute, settings.budget_reserve, most),
            *(part for pair in wanted for part in pair),
        ]
        batch.run(_TAKE, script_keys, arguments)


def taken_from(reply: Sequence[object]) -> Taken:
    """What the reply to the script says."""
    state, again, *jobs = reply
    assert isinstance(again, bytes)
    return Taken([_job(job) for job in jobs], state == b"suspended", float(again))


def _job(reply: object) -> TakenJob:
    assert isinstance(reply, list)
    job_id, lane, priority, waited, record = reply
    return TakenJob(
        job_id.decode(),
        Lane(lane.decode()),
        Priority(priority.decode()),
        max(0.0, float(waited)),
        dict(zip(record[::2], record[1::2], strict=True)),
    )

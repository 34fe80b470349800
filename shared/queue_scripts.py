"""The Lua script that requests a refresh: one step in Redis, one round trip.

Turns. Clients that wait for on-demand content are served in turns by client address, and each
client's jobs in the order in which they came (start-time fair queueing: Goyal, Vin, Cheng, 1996). A
job's score is the number of its round: the one after its client's last job, but not before the
present round. So a client with a hundred jobs and a client with one wait equally long for their
first. A fraction below 1 keeps the jobs of one round in the order in which they came.

When a second client waits for the same job, the job gets the better turn of the two.
"""

from shared import point_buckets
from shared.queue_order import PRIORITIES

_PRIORITIES = "local PRIORITIES = {" + ", ".join(f"'{one}'" for one in PRIORITIES) + "}\n"

# Removes a job from the order, if it has a place.
# `order` and `places` are the names of the sorted sets without their lane, and of the hash.
DROP = """
local function drop(order, places, job)
  local lane, priority = string.match(redis.call('HGET', places, job) or '', '(%S+) (%S+)')
  if lane then redis.call('ZREM', order .. lane .. ':' .. priority, job) end
  redis.call('HDEL', places, job)
end
"""

# Begins the round of a job that has left the order: later jobs get a later one.
# `turns` and `name` are the keys of the lane's turns and of its jobs for which clients wait.
BEGIN_ROUND = """
local function begin_round(turns, name, score)
  redis.call('ZADD', turns, 'GT', math.floor(score), '')
  redis.call('ZREMRANGEBYSCORE', turns, '-inf', '(' .. math.floor(score))
  if redis.call('EXISTS', name) == 0 then redis.call('DEL', turns) end
end
"""

# Makes places and RQ's list agree, if they do not: jobs that came without a place (from an older
# release, or from RQ's own tools) get one, and places whose job is gone (a plain worker took it)
# are removed. Needs `DROP` and `BEGIN_ROUND`.
# `list` is RQ's; `order` and `turns` are names without their lane.
RECONCILE = """
local function reconcile(list, places, order, turns, now)
  if redis.call('LLEN', list) == redis.call('HLEN', places) then return end
  local queued = {}
  for _, job in ipairs(redis.call('LRANGE', list, 0, -1)) do
    queued[job] = true
    if not redis.call('HGET', places, job) then
      redis.call('ZADD', order .. 'tracked:missing', now, job)
      redis.call('HSET', places, job, string.format('tracked missing %.3f 0', now))
    end
  end
  local all = redis.call('HGETALL', places)
  for at = 1, #all, 2 do
    local job, lane = all[at], string.match(all[at + 1], '^(%S+) waiting ')
    if not queued[job] then
      local name = lane and order .. lane .. ':waiting'
      local score = lane and redis.call('ZSCORE', name, job)
      drop(order, places, job)
      if score then begin_round(turns .. lane, name, score) end
    end
  end
end
"""

# Requests a refresh.
# KEYS: 1 RQ's list, 2 RQ's set of queues, 3 the job, 4 asked, 5 queued, 6 places, 7 the client's
#       waits.
# ARGV: 1 to 4 prefixes of order, turns, bell and RQ's jobs; 5 lane; 6 priority; 7 score within the
#       priority, or empty for the time of the request; 8 job id; 9 resource id; 10 client, or
#       empty; 11 seconds that a client waits; 12 jobs that may wait for one client; 13 jobs that
#       may be queued on demand; 14 milliseconds between two requests for a resource; 15 seconds
#       that the job is remembered; 16 points a minute; 17 share kept for tracked resources; 18
#       'always': enqueue the job even if one is queued or running, or the queue is full; else
#       empty; 19 to 24 the keys running, large lists, points, pace, suspended and RQ's set of
#       workers, which are only read (Redis lets a user run a script only if it may write all its
#       KEYS); 25 to 27 empty, or keys of which none may exist; then the fields and values of the
#       job.
# Returns what `shared.queueing.Asked` names, and the estimated seconds until the refresh is done.
# The first is 'held' if one of the keys 25 to 27 exists: then nothing was requested.
ASK = (
    _PRIORITIES
    + DROP
    + BEGIN_ROUND
    + RECONCILE
    + point_buckets.LUA
    + """
if ARGV[25] ~= '' and redis.call('EXISTS', ARGV[25], ARGV[26], ARGV[27]) > 0 then
  return {'held', '0'}
end
-- Without memory for it, Redis refuses only the first write of a script: let that be one that needs
-- memory. Otherwise a client would wait for a job that no refresher can take. It changes nothing.
redis.call('SET', KEYS[4], 1, 'XX', 'KEEPTTL')
local now = now_by_redis()
local order, turns, bell, jobs = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lane, priority, job, resource, client = ARGV[5], ARGV[6], ARGV[8], ARGV[9], ARGV[10]
local is_waiting = priority == 'waiting'
reconcile(KEYS[1], KEYS[6], order, turns, now)
if lane == 'tracked' and redis.call('SISMEMBER', ARGV[20], resource) == 1 then lane = 'large' end
order, turns, bell = order .. lane .. ':', turns .. lane, bell .. lane

local function rank(name)
  for at, one in ipairs(PRIORITIES) do if one == name then return at end end
  return #PRIORITIES + 1
end

-- The score of a job for which this client waits, were it queued now.
local function turn_of(client)
  local present = tonumber(redis.call('ZSCORE', turns, '') or '0')
  local last = tonumber(redis.call('ZSCORE', turns, client) or '0')
  return math.max(math.floor(present), last) + 1
end

-- A number that was stored, within bounds; `otherwise` if it is damaged or absent.
local function number_in(text, otherwise, most)
  local number = tonumber(text or '')
  if not number or number ~= number or number < 0 then return otherwise end
  return math.min(number, most)
end

-- Seconds until it is the turn of a job with this score, and until it is done: the jobs before it
-- share the refreshers, and each costs a point.
local function estimate(score)
  local before = redis.call('ZCOUNT', order .. 'waiting', '-inf', '(' .. score)
  local pace = redis.call('HMGET', ARGV[22], 'slots', 'seconds')
  local workers = math.max(1, redis.call('SCARD', ARGV[24]))
  local seconds = number_in(pace[2], 0, 600)
  local turn = (before + 1) * seconds / (workers * math.max(1, number_in(pace[1], 1, 1000)))
  -- The next job is always admitted: only a refresh that ends tells of a better pace.
  local is_next = before == 0
  if lane == 'on-demand' then
    local points, reserve = tonumber(ARGV[16]), tonumber(ARGV[17])
    local _, left = bucket_levels(ARGV[21], points, reserve, now)
    local rate = points * (1 - reserve) / 60
    if before + 1 > left then
      turn, is_next = math.max(turn, (before + 1 - left) / rate), false
    end
  end
  return turn, turn + seconds, is_next
end

local function remember(job, priority)
  local deadline = is_waiting and now + tonumber(ARGV[11]) or 0
  redis.call('HSET', KEYS[6], job, string.format('%s %s %.3f %.3f', lane, priority, now, deadline))
end

local function place(job, score)
  redis.call('ZADD', order .. priority, score, job)
  remember(job, priority)
end

local function queue_with_turn(job, add)
  local round = turn_of(client)
  local count = redis.pcall('INCR', turns .. ':count')
  if type(count) ~= 'number' then  -- it was damaged
    count = 1
    redis.call('SET', turns .. ':count', count)
  end
  redis.call('EXPIRE', turns .. ':count', 3600)
  local score = round + (count % 1048576) / 1048576
  add(score)
  redis.call('ZADD', turns, round, client)
  return score
end

if ARGV[18] == '' and redis.call('EXISTS', ARGV[19]) == 1 then
  return {'under-way', '0'}
end
-- Its content may have come a moment ago.
if is_waiting and redis.call('EXISTS', ARGV[23]) == 1 and redis.call('EXISTS', KEYS[4]) == 0 then
  return {'suspended', '0'}
end
local old = redis.call('GET', KEYS[5])
if old and ARGV[18] == '' then
  if redis.call('LPOS', KEYS[1], old) then
    redis.call('SET', KEYS[4], 1, 'NX', 'PX', ARGV[14])  -- other processes need not ask, too
    local place_of_old = redis.call('HGET', KEYS[6], old)
    local its = string.match(place_of_old or '', '%S+ (%S+)')
    local score = its and tonumber(redis.call('ZSCORE', order .. its, old))
    if not score then return {'under-way', '0'} end
    if rank(priority) < rank(its) then
      redis.call('ZREM', order .. its, old)
      if is_waiting then
        score = queue_with_turn(old, function(new) place(old, new) end)
      else
        place(old, now)
      end
    elseif is_waiting then
      if turn_of(client) < math.floor(score) then
        score = queue_with_turn(old, function(new) redis.call('ZADD', order .. its, new, old) end)
      end
      remember(old, its)
    end
    if not is_waiting then return {'under-way', '0'} end
    local _, done = estimate(score)
    return {'under-way', tostring(done)}
  end
  drop(ARGV[1], KEYS[6], old)  -- a plain worker took it, or the queue was emptied
end
if ARGV[18] == '' and redis.call('EXISTS', KEYS[4]) == 1 then return {'under-way', '0'} end

local wait = '0'
if lane == 'on-demand' and ARGV[18] == '' then
  if is_waiting then
    -- Jobs that got the same turn earlier come first.
    local turn, done, is_next = estimate(turn_of(client) + 1)
    wait = tostring(done)
    redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', now)
    if redis.call('ZCARD', KEYS[7]) >= tonumber(ARGV[12]) then return {'too-many', wait} end
    if turn > tonumber(ARGV[11]) and not is_next then return {'too-late', wait} end
  end
  local length = 0
  for _, one in ipairs(PRIORITIES) do length = length + redis.call('ZCARD', order .. one) end
  if length >= tonumber(ARGV[13]) then
    -- Something less urgent makes room: the last job of a lower priority, or fresher content.
    local gone = nil
    for at = #PRIORITIES, rank(priority), -1 do
      local last = redis.call('ZRANGE', order .. PRIORITIES[at], -1, -1, 'WITHSCORES')
      local is_lower = at > rank(priority)
      if last[1] and (is_lower or (ARGV[7] ~= '' and tonumber(ARGV[7]) < tonumber(last[2]))) then
        gone = last[1]
        break
      end
    end
    if not gone then return {'turned-away', wait} end
    redis.call('LREM', KEYS[1], -1, gone)
    drop(ARGV[1], KEYS[6], gone)
    redis.call('DEL', jobs .. gone)
  end
  if is_waiting then
    redis.call('ZADD', KEYS[7], now + tonumber(ARGV[11]), resource)
    redis.call('PEXPIRE', KEYS[7], math.ceil(1000 * tonumber(ARGV[11])))
  end
end

redis.call('SET', KEYS[4], 1, 'PX', ARGV[14])
redis.call('SET', KEYS[5], job, 'EX', ARGV[15])
redis.call('HSET', KEYS[3], unpack(ARGV, 28))
redis.call('SADD', KEYS[2], KEYS[1])
redis.call('RPUSH', KEYS[1], job)
if is_waiting then
  queue_with_turn(job, function(score) place(job, score) end)
else
  place(job, ARGV[7] == '' and now or tonumber(ARGV[7]))
end
if redis.call('LLEN', bell) == 0 then redis.call('RPUSH', bell, 1) end
return {'queued', wait}
"""
)

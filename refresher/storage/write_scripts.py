"""The scripts of all writes: each first checks the fencing token, see `entry_writer`."""

from shared.redis.scripts import Script
from shared.suspicion import SECOND_LOOK_S

# Hands out a fencing token that is greater than any before, even after Redis lost its data:
# the microseconds of Redis's clock, or one more than the last token if the clock was set back. The
# last token is also known from what it wrote: the fence is forgotten earlier than the entry.
# KEYS: fence, entry, forgotten. ARGV: milliseconds to remember it.
# Returns the token as a string, and Redis's time as `TIME` gives it.
DRAW = Script("""
local function token_of(text)
  local token = tonumber(text or '')
  -- A double holds no greater integers; what is greater is damage.
  if token and token >= 0 and token < 9007199254740992 then return token end
  return 0
end
local clock = redis.call('TIME')
local token = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local known = redis.call('HMGET', KEYS[2], 'confirmed_by', 'meta')
local version = known[2] and string.match(known[2], '"version": *(%d+)')
for _, text in ipairs({redis.call('GET', KEYS[1]), known[1], version or false,
                       redis.call('GET', KEYS[3])}) do
  token = math.max(token, token_of(text) + 1)
end
local text = string.format('%.0f', token)
redis.call('SET', KEYS[1], text, 'PX', ARGV[1])
return {text, clock[1], clock[2]}
""")

# What every write begins and ends with. KEYS: fence, changes, invalidated. ARGV: token, channel,
# name, and JSON of `Handled`, what is done about the invalidation that there was when the refresh
# began (empty for nothing).
_CHECK = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
"""
# The invalidation is done with, or a further look is planned; what comes after it stays.
_HANDLED = """
if ARGV[4] ~= '' then
  local handled, now = cjson.decode(ARGV[4]), redis.call('TIME')[1]
  local items, looks, replaced = KEYS[3] .. ':items', KEYS[3] .. ':looks', KEYS[3] .. ':replaced'
  if handled.replaced ~= '' then
    if type(redis.pcall('ZREMRANGEBYSCORE', replaced, '-inf', now)) == 'table' then
      redis.call('DEL', replaced)  -- it was damaged
    end
    redis.call('ZADD', replaced, handled['until'], handled.replaced)
    redis.call('EXPIRE', replaced, handled.remember_replaced)
  end
  redis.pcall('ZREMRANGEBYSCORE', items, '-inf', handled.done)
  if redis.call('GET', KEYS[3]) == handled.mark then
    if handled.looks == '' then
      redis.call('DEL', KEYS[3], items, looks)
      if handled.member ~= '' then redis.call('ZREM', handled.all, handled.member) end
    else
      redis.call('SET', looks, handled.looks, 'EX', handled.remember)
      if handled.member ~= '' then redis.call('ZADD', handled.all, handled.next, handled.member) end
      if string.find(handled.mark, handled.anew, 1, true) == 1 then
        redis.call('SET', KEYS[3], string.sub(handled.mark, #handled.anew + 1),
                   'EX', handled.remember)
      end
    end
  elseif handled.unsettled ~= '' then  -- the looks are those of a later event
    local later = redis.pcall('GET', looks)
    local times = type(later) == 'string' and string.match(later, '^%S+ %S+')
    if times then
      redis.call('SET', looks, times .. ' ' .. handled.unsettled, 'EX', handled.remember)
    end
  end
end
"""
_ANNOUNCE = """
local number = redis.pcall('INCR', KEYS[2])
if type(number) ~= 'number' then  -- it was damaged; readers see that it went back
  number = 1
  redis.call('SET', KEYS[2], number)
end
redis.call('PUBLISH', ARGV[2], cjson.encode({name = ARGV[3], number = number}))
return 1
"""


def _keep(key: int) -> str:
    """Gives the key of that number the expiry in ARGV[5], or none for 0."""
    return f"""
if ARGV[5] == '0' then redis.call('PERSIST', KEYS[{key}])
else redis.call('PEXPIRE', KEYS[{key}], ARGV[5]) end
"""


# Adds an event to the change feed, if the content is another one than is stored: refreshers that
# only rebuild what is derived of it tell nothing. Ids grow over both streams, also if the clock is
# set back, so that one id says how much of both a follower has heard.
# KEYS[4] is the entry, which is not replaced yet, KEYS[10] the stream to add to, KEYS[11] the other
# one. ARGV[7]: the event; ARGV[8]: its entity tag; ARGV[9]: how many events are kept.
_TELL = """
local function tell()
  local meta = redis.pcall('HGET', KEYS[4], 'meta')
  local known = type(meta) == 'string' and string.match(meta, '"etag": *"([^"]*)"')
  if known == ARGV[8] then return end
  local clock = redis.call('TIME')
  local ms, number = clock[1] * 1000 + math.floor(clock[2] / 1000), 0
  for _, key in ipairs({KEYS[10], KEYS[11]}) do
    local last = redis.pcall('XREVRANGE', key, '+', '-', 'COUNT', 1)
    if last.err then redis.call('DEL', key) last = {} end  -- it was damaged
    if last[1] then
      local a, b = string.match(last[1][1], '^(%d+)-(%d+)$')
      a, b = tonumber(a), tonumber(b)
      if a > ms or a == ms and b >= number then ms, number = a, b + 1 end
    end
  end
  redis.call('XADD', KEYS[10], 'MAXLEN', '~', ARGV[9], string.format('%.0f-%.0f', ms, number),
             'event', ARGV[7])
end
tell()
"""


# Whether a list of which nothing was stored (`first_at`) has been looked at again since; readers
# that hold much more wait for that, see `shared.suspicion`.
_LOOKED_TWICE = f"""
local function looked_twice(first_at, asked_at)
  local first, asked = tonumber(first_at), tonumber(asked_at)
  return not first or not asked or asked < first or asked >= first + {SECOND_LOOK_S}
end
"""


# Replaces an entry and its pages, or of a list only what has changed of its segments and pages.
# KEYS: fence, changes, invalidated, entry, pages, failure, reading, suspicion, segments, the change
#       feed of such content, the other feed.
# ARGV: token, channel, name, invalidation, milliseconds to keep (0: for ever), number of segments
#       that are stored (-1 to replace all segments and pages), the event, its entity tag, number of
#       events to keep, number of segments to remove, those,
#       number of pages to remove, those, number of the segments' names and bodies, those, number of
#       the entry's fields and values, those, then the pages' fields and values.
# Returns 2 if other segments are stored than is believed: then all have to be replaced.
WRITE = Script(f"""
{_CHECK}
local at = 10
local function each(key, command, step)
  local last = at + tonumber(ARGV[at])
  for one = at + 1, last, step do redis.call(command, key, unpack(ARGV, one, one + step - 1)) end
  at = last + 1
end
if ARGV[6] == '-1' then redis.call('DEL', KEYS[5], KEYS[9])
elseif redis.pcall('HLEN', KEYS[9]) ~= tonumber(ARGV[6]) then return 2 end
{_TELL}
{_LOOKED_TWICE}
local first_at = redis.pcall('HGET', KEYS[4], 'first_at')
redis.call('DEL', KEYS[4], KEYS[6], KEYS[7], KEYS[8])
each(KEYS[9], 'HDEL', 1)
each(KEYS[5], 'HDEL', 1)
each(KEYS[9], 'HSET', 2)
{_keep(9)}
each(KEYS[4], 'HSET', 2)
if type(first_at) == 'string'
   and not looked_twice(first_at, redis.call('HGET', KEYS[4], 'validated_at')) then
  redis.call('HSETNX', KEYS[4], 'first_at', first_at)
end
{_keep(4)}
for one = at, #ARGV, 2 do redis.call('HSET', KEYS[5], ARGV[one], ARGV[one + 1]) end
{_keep(5)}
{_HANDLED}
{_ANNOUNCE}
""")

# Moves the freshness of an unchanged entry on; 0 too when the entry is gone.
# KEYS: as for `WRITE`, of which the feeds are not used: what is confirmed has not changed.
# ARGV: token, channel, name, invalidation, milliseconds to keep (0: for ever), validated_at,
#       fresh_until, whether the pages are replaced, number of their fields to remove, those, then
#       those of their fields and values that changed.
CONFIRM = Script(f"""
{_CHECK}
if redis.call('EXISTS', KEYS[4]) == 0 then return 0 end
{_LOOKED_TWICE}
if looked_twice(redis.call('HGET', KEYS[4], 'first_at') or '', ARGV[6]) then
  redis.call('HDEL', KEYS[4], 'first_at')
end
redis.call('HSET', KEYS[4], 'validated_at', ARGV[6], 'fresh_until', ARGV[7],
           'confirmed_by', ARGV[1])
redis.call('DEL', KEYS[6], KEYS[7], KEYS[8])
if ARGV[8] == '1' then redis.call('DEL', KEYS[5]) end
local gone = 9 + tonumber(ARGV[9])
for at = 10, gone do redis.call('HDEL', KEYS[5], ARGV[at]) end
{_keep(4)}
{_keep(9)}
for at = gone + 1, #ARGV, 2 do redis.call('HSET', KEYS[5], ARGV[at], ARGV[at + 1]) end
{_keep(5)}
{_HANDLED}
{_ANNOUNCE}
""")

# Records a failure beside the entry, which is not touched.
# KEYS: fence, changes, invalidated, failure.
# ARGV: token, channel, name, invalidation, milliseconds to keep, the record.
FAIL = Script(f"""
{_CHECK}
redis.call('SET', KEYS[4], ARGV[6], 'PX', ARGV[5])
{_ANNOUNCE}
""")

# Records a suspicion beside the entry, which is not touched. GitHub has answered, so a failure from
# before is over; the second look requests every page anew.
# KEYS: fence, changes, invalidated, failure, reading, suspicion.
# ARGV: token, channel, name, nothing, milliseconds to keep, the record.
DOUBT = Script(f"""
{_CHECK}
redis.call('DEL', KEYS[4], KEYS[5])
redis.call('SET', KEYS[6], ARGV[6], 'PX', ARGV[5])
{_ANNOUNCE}
""")

# Notes a look that showed older content than is stored. GitHub has answered, so a failure is over.
# KEYS: fence, changes, invalidated, failure, reading.
# ARGV: token, channel, name, invalidation.
NOTE_LOOK = Script(f"""
{_CHECK}
redis.call('DEL', KEYS[4], KEYS[5])
{_HANDLED}
{_ANNOUNCE}
""")

# Forgets a resource, and refuses whatever a refresh that is under way would still write.
# KEYS: fence, changes, invalidated, entry, pages, failure, reading, suspicion, segments, record,
#       forgotten.
# ARGV: token, channel, name, nothing, milliseconds to remember the token, and that it was
#       forgotten.
FORGET = Script(f"""
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[5])
redis.call('DEL', KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10])
redis.call('DEL', KEYS[3] .. ':items', KEYS[3] .. ':looks', KEYS[3] .. ':replaced')
redis.call('SET', KEYS[11], ARGV[1], 'PX', ARGV[6])
{_ANNOUNCE}
""")

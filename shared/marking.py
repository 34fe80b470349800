"""Marks a resource as invalidated: by an event at GitHub, or for an operator. One script."""

from uuid import uuid4

from redis import Redis

from shared.invalidation import ANEW, ANY_ITEM, MOST_ITEMS, REMEMBER_ITEM_S
from shared.redis import keys
from shared.redis.scripts import Script
from shared.resources.resource import Resource

# Seconds for which an invalidation that is not done with is remembered.
REMEMBER_S = 24 * 3600

# Sets the mark of an invalidation (`shared.invalidation`), and after an event the looks that follow
# (`shared.looks`): the first is due now.
# KEYS: invalidated, its items, its looks, looks.
# ARGV: id, seconds to remember the mark, prefix of an operator's mark, "1" for an operator's, the
#       item (ANY_ITEM if others may have changed too), most items, seconds to remember an item
#       whose mark is gone, ANY_ITEM, the member of `looks`, or empty if nobody looks by themselves.
_MARK = Script("""
local clock = redis.call('TIME')
local now = string.format('%.3f', clock[1] + clock[2] / 1000000)
local before, is_operators = redis.call('GET', KEYS[1]), ARGV[4] == '1'
local is_anew = is_operators or string.find(before or '', ARGV[3], 1, true) == 1
local named = redis.pcall('ZCARD', KEYS[2])
if type(named) == 'table' then  -- it was damaged
  redis.call('DEL', KEYS[2])
  named = 0
elseif not before then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[7])
end
if not is_operators then
  -- A mark that names nothing, of an older release, or whose items were damaged.
  if before and named == 0 and not is_anew then redis.call('ZADD', KEYS[2], now, ARGV[8]) end
  redis.call('ZADD', KEYS[2], now, ARGV[5])
  if redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[6]) then
    redis.call('DEL', KEYS[2])
    redis.call('ZADD', KEYS[2], now, ARGV[8])
  end
  redis.call('EXPIRE', KEYS[2], ARGV[2])
  local looks = redis.pcall('GET', KEYS[3])
  local unsettled = type(looks) == 'string' and string.match(looks, '^%S+ %S+( %S+)$') or ''
  redis.call('SET', KEYS[3], now .. ' ' .. now .. unsettled, 'EX', ARGV[2])
  if ARGV[9] ~= '' then redis.call('ZADD', KEYS[4], now, ARGV[9]) end
end
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if not string.find(member, '^%d+$') then  -- it was damaged: anything may have changed
    redis.call('DEL', KEYS[2])
    redis.call('ZADD', KEYS[2], now, ARGV[8])
    redis.call('EXPIRE', KEYS[2], ARGV[2])
    break
  end
end
local mark = (is_anew and ARGV[3] or '') .. ARGV[1]
local is_whole = is_anew or redis.call('ZSCORE', KEYS[2], ARGV[8])
if not is_whole and redis.call('ZCARD', KEYS[2]) > 0 then
  mark = mark .. ' ' .. table.concat(redis.call('ZRANGE', KEYS[2], 0, -1), ',')
end
redis.call('SET', KEYS[1], mark, 'EX', ARGV[2])
return 1
""")


def mark(redis: Redis, resource: Resource, *, anew: bool = False, item: int | None = None) -> None:
    """Invalidate a resource: it is stale until a refresh that begins from now on is done.

    After an event, a tracked resource is looked at again until `looks.LAST_S` after it; another one
    is stale until then, and is fetched when somebody requests it. An operator's mark is done with
    after one refresh. The mark is new each time: a refresh that began before must not remove it.

    Args:
        redis: the client.
        resource: to invalidate.
        anew: for an operator: the next refresh sends no conditional requests; a later mark does not
            change that.
        item: of a list, GitHub's id of the only item that has changed; None if others may have.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    names = (keys.invalidated_by, keys.items_named, keys.looks)
    _MARK(
        redis,
        [*(name(resource) for name in names), keys.LOOKS],
        [
            *(uuid4().hex, REMEMBER_S, ANEW, int(anew), ANY_ITEM if item is None else item),
            *(MOST_ITEMS, REMEMBER_ITEM_S, ANY_ITEM, member_of(resource)),
        ],
    )


def member_of(resource: Resource) -> str:
    """The member of the set of looks that stands for a resource; empty if it is not tracked."""
    return f"{resource.id} {resource.name}" if resource.tracked else ""

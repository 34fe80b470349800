"""The minute's points: how many requests to GitHub may be sent now, by party.

GitHub allows 900 points a minute for one user; a GET costs one.
https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits

A count per minute of the clock gives a burst and a drought in each minute. So there are two token
buckets, which refill evenly and hold at most what a minute gives. In any 60 seconds at most twice
`ORIGIN_POINTS_PER_MINUTE` requests are sent: at its largest value for GitHub (440), that is 880.

- Tracked requests have `BUDGET_RESERVE` of the points. If their bucket is empty, they borrow from
  the other one while it is more than a quarter full. A client's miss therefore finds points, and
  under a flood of misses nothing is borrowed.
- On-demand requests have the rest, and never more.
- Further pages of tracked lists leave a quarter of the tracked bucket to all other tracked
  requests.
- Without a reserve, all share the bucket of the on-demand requests.

Both buckets are one hash, `keys.POINTS`:

=============  ====================================================================
field          meaning
=============  ====================================================================
``tracked``    points in the bucket of tracked requests at the time ``at``
``on-demand``  points in the bucket of on-demand requests at the time ``at``
``at``         Unix time in seconds, by Redis's clock; in the future: counts as now
``points``     `ORIGIN_POINTS_PER_MINUTE` of the refresher that wrote last
``reserve``    its `BUDGET_RESERVE`
=============  ====================================================================

A hash or field that is absent is a full bucket. The hash expires two minutes after the last
request: then both are full.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from shared.stored_numbers import count_of, number_of

TRACKED, ON_DEMAND = "tracked", "on-demand"
REFILL_S = 60.0  # seconds in which an empty bucket becomes full

# The text of Lua functions, to put in front of a script that gives or takes points:
# - `now_by_redis()`: Unix time in seconds, by Redis's clock;
# - `bucket_sizes(points, reserve)`: the capacity of the tracked and of the on-demand bucket, by
#   ORIGIN_POINTS_PER_MINUTE and BUDGET_RESERVE;
# - `bucket_levels(key, points, reserve, now)`: the points in both, refilled to now; writes nothing,
#   except that it replaces a time in the future by now;
# - `set_bucket_levels(key, points, reserve, now, tracked, on_demand)`: writes them.
LUA = f"""
local function now_by_redis()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function bucket_sizes(points, reserve)
  return reserve > 0 and math.max(1, points * reserve) or 0, math.max(1, points * (1 - reserve))
end

-- A damaged level is a full bucket.
local function stored_level(text, size)
  local level = tonumber(text or '')
  if not level or level ~= level or level < 0 then return size end
  return level
end

local function bucket_levels(key, points, reserve, now)
  local tracked_size, on_demand_size = bucket_sizes(points, reserve)
  local known = redis.call('HMGET', key, '{TRACKED}', '{ON_DEMAND}', 'at')
  local at = tonumber(known[3] or now) or now
  if at > now then redis.call('HSET', key, 'at', string.format('%.6f', now)) end
  local share = math.max(0, now - at) / {REFILL_S:.0f}
  local tracked = stored_level(known[1], tracked_size) + share * points * reserve
  local on_demand = stored_level(known[2], on_demand_size) + share * points * (1 - reserve)
  return math.min(tracked, tracked_size), math.min(on_demand, on_demand_size)
end

local function set_bucket_levels(key, points, reserve, now, tracked, on_demand)
  redis.call('HSET', key, '{TRACKED}', tracked, '{ON_DEMAND}', on_demand,
             'at', string.format('%.6f', now), 'points', points, 'reserve', reserve)
  redis.call('EXPIRE', key, {2 * REFILL_S:.0f})
end
"""


@dataclass(frozen=True)
class Points:
    """Points of both parties.

    Args:
        tracked: for tracked requests, without what they may borrow.
        on_demand: for on-demand requests.
    """

    tracked: float
    on_demand: float


def sizes(points: int, reserve: float) -> Points:
    """The capacities of both buckets.

    Args:
        points: `ORIGIN_POINTS_PER_MINUTE`.
        reserve: `BUDGET_RESERVE`.
    """
    return Points(max(1, points * reserve) if reserve > 0 else 0, max(1, points * (1 - reserve)))


def levels(known: Mapping[bytes, bytes], points: int, reserve: float, *, now: float) -> Points:
    """The points in both buckets; the same rule as `bucket_levels` of the Lua text.

    Args:
        known: the hash.
        points: `ORIGIN_POINTS_PER_MINUTE`.
        reserve: `BUDGET_RESERVE`.
        now: Unix time in seconds, by Redis's clock.
    """
    size = sizes(points, reserve)
    share = max(0.0, now - (number_of(known.get(b"at")) or now)) / REFILL_S
    tracked = _level(known, TRACKED, size.tracked) + share * points * reserve
    on_demand = _level(known, ON_DEMAND, size.on_demand) + share * points * (1 - reserve)
    return Points(min(tracked, size.tracked), min(on_demand, size.on_demand))


def _level(known: Mapping[bytes, bytes], party: str, size: float) -> float:
    """A stored level; a damaged one is a full bucket."""
    try:
        level = float(known.get(party.encode(), size))
    except ValueError:
        return size
    return level if math.isfinite(level) and level >= 0 else size


def levels_now(known: Mapping[bytes, bytes], *, now: float) -> Points | None:
    """The points in both buckets, for a process that does not know the refreshers' settings.

    Args:
        known: the hash; if it is absent, both buckets are full, and the result is None.
        now: Unix time in seconds, by Redis's clock.
    """
    if b"points" not in known or b"reserve" not in known:
        return None
    return levels(known, count_of(known[b"points"]), number_of(known[b"reserve"]), now=now)


def sizes_now(known: Mapping[bytes, bytes]) -> Points | None:
    """The capacities of both buckets; None if the hash is absent."""
    if b"points" not in known or b"reserve" not in known:
        return None
    return sizes(count_of(known[b"points"]), number_of(known[b"reserve"]))

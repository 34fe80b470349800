"""The cache of a reader process: memory, then Redis, then a wait for a refresher.

- `lookup`: the path of a request: hit, read from Redis, or wait.
- `local_cache`: the entries in memory. `check_schedule`: when each is next compared with Redis.
- `single_flight`: one of many simultaneous misses does the work. `waiters`: its wait for content.
- `refusals`: the response to a miss that is not served, with its `Retry-After`.
- `synchronizer`: the thread that brings the local cache up to date with Redis; the one place where
  news from pub/sub becomes local content. `subscriber`: the thread that receives the news.
- `refresh_requests`: the one place where the refresh of a stale or missing entry is enqueued.
"""

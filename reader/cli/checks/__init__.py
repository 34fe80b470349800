"""The checks of `doctor`: pure functions from facts to findings.

- `finding`: a finding and its verdict.
- `environment`: the settings of this process.
- `redis_server`: version, latency, persistence, memory and role of Redis.
- `neighbours`: whether the Redis database is the cache's own.
- `clocks`: whether the machines, Redis and GitHub agree on the time.
- `credentials`: rate limits, expiry and privileges of GitHub's credentials.
- `fleet`: refreshers, queue, readers, content, and GitHub's responses.
"""

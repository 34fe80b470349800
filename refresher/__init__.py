"""The refreshers: RQ workers that ask GitHub and write its responses to Redis.

Imports `shared`, and nothing of `reader`. From low to high, each part imports only parts above it:

- `errors`, `backoff`, `spacing`: why a refresh ends, when it is tried again, and how long a
  resource rests.
- `party_limits`: how much of a limit tracked and on-demand refreshes may use.
- `github`: requests to GitHub, its credentials and its rate limits.
- `content`: from GitHub's pages to the content of an entry.
- `storage`: writes to Redis, under the fencing token.
- `visibility`: makes sure that only public data is stored.
- `lock`, `reporting`: who refreshes a resource, and how the refresh ended.
- `context`: everything that a refresh needs, in one record.
- `dispatch`: many jobs at the same time.
- `fetch`: fetches a resource from GitHub; visibility comes first.
- `refresh`: the refresh of one resource, put together from these parts.
- `process`: what all refreshes of a process share. Here clocks, connections and randomness are
  handed in.
- `jobs`: the jobs that RQ runs.
- `job_allow_list`, `rq_config`, `worker`, `scheduler`: what starts, restricts and schedules them.
"""

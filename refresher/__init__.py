"""The refreshers: RQ workers that ask GitHub and write its responses to Redis.

Imports `shared`, and nothing of `reader`. From low to high, each part imports only parts above it:

- `errors`, `backoff`: why a refresh ends, and when it is tried again.
- `github`: requests to GitHub, its credentials and its rate limits.
- `content`: from GitHub's pages to the content of an entry.
- `storage`: writes to Redis, under the fencing token.
- `visibility`: makes sure that only public data is stored.
- `lock`, `reporting`: who refreshes a resource, and how the refresh ended.
- `context`: everything that refreshes need, in one record.
- `fetch`: fetches a resource from GitHub; visibility comes first.
- `refresh`: the refresh of one resource, put together from these parts.
- `jobs`: the jobs that RQ runs. Here clocks, connections and randomness are handed in.
- `job_allow_list`, `rq_config`, `worker`, `scheduler`: the processes.
"""

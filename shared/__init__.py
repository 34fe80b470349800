"""What readers and refreshers must agree on: settings, Redis keys, records and resources.

Imports neither `reader` nor `refresher`.

- `settings`, `setting_types`: the table of all settings, and the checks of their values.
- `logs`: the configuration of logging.
- `outcomes`: how a request was served, how a refresh ended, why one failed.
- `errors`: the errors that cross a module border.
- `version`: the version of this code.
- `queueing`: enqueues refreshes, one job per resource.
- `queue_order`, `queue_scripts`: the order of queued refreshes, and the Lua that keeps it.
- `refresh_ahead`: when a tracked resource is refreshed before it becomes stale.
- `refresh_report`, `failure`: the records of a refresh and of a failed one.
- `measures`, `budgets`: counters, and what is left of GitHub's rate limits.
- `spending`: which paths and clients use the budget.
- `point_buckets`: the minute's points, as two token buckets in Redis.
- `entry`, `json_array`: a resource's entry, and a JSON array that is sliced without parsing.
- `segments`, `segmented_entry`: a list as runs of items that are stored one by one.
- `gzip_joining`: one gzip member from pieces that were compressed one by one.
- `etag`: every entity tag of ours.
- `stored_form`: what an entry was made for, and when it counts as absent or as incomplete.
- `encodings`: the table of content codings that entries are stored in.
- `clock`: the clocks and the sleep that a process hands to its parts, and Redis's clock.
- `clock_skew`: names a process's own clock if it is far from Redis's.
- `stored_numbers`: numbers in Redis, of which a damaged one counts as absent.
- `time_bounds`: the bounds of times that are read.
- `redis_url`, `sentinel_url`: check and parse the URLs in settings.
- `github_form`: GitHub's content type and error body.
- `redis/`: keys, connections, entries and announcements.
- `resources/`: kinds, names and decisions of resources.
"""

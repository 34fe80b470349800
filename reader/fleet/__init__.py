"""The whole fleet as its processes report it: readers, refreshers, counters, rate limits.

- `snapshot`: everything that Redis holds about the fleet, read at most once a second.
- `heartbeats`: the reports of reader processes, and which on-demand resources are popular.
- `process_reporter`: counts a process's requests, and writes its heartbeats.
- `workers`: the refreshers, as RQ registers them, and what they report of themselves.
- `queue_view`: the queued refreshes by lane and priority.
- `neighbours`: RQ queues, workers and jobs of others in our database.
- `privileged_credentials`: credentials that see more than the public.
- `suspension`: pauses and resumes all refreshers.
- `metrics`: `/metrics`, in Prometheus's text format.
"""

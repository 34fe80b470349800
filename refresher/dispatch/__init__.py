"""Many refreshes at the same time in one RQ worker: takes jobs in order, runs them in threads.

- `slots`: how many jobs of each lane may run at the same time; pure.
- `take`: takes the next jobs from the queue, in one round trip.
- `dispatcher`: hands them to threads, and takes the next ones when these end.
- `job_records`: what RQ's own tools show of running and ended jobs.
- `ticker`: runs what is due once a second.
- `pace`: how long refreshes take, for the estimates of waits.
"""

"""Which refresher refreshes a resource, and when.

- `refresh_lock`: takes and holds a resource's Redlock; only this module takes a lock.
- `lock_keeper`: extends all locks of a process.
- `redlock_import`: pottery's Redlock, imported without a side effect.
- `large_list_limit`: bulkhead: few large lists are refreshed at the same time in a process.
- `start_conditions`: both together: whether a refresh may start and go on.
"""

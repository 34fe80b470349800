"""Which refresher refreshes a resource, and when.

- `refresh_lock`: takes and holds a resource's Redlock; only this module takes a lock.
- `redlock_import`: pottery's Redlock, imported without a side effect.
- `large_list_limit`: bulkhead: few large lists are refreshed at once in a process.
- `start_conditions`: both together: whether a refresh may start and go on.
"""

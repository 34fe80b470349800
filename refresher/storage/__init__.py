"""What refreshers store in Redis.

- `storage`: the reading and the writing side, in one record.
- `entry_writer`: writes entries; each write checks the fencing token in its Lua script.
- `write_scripts`: these scripts.
- `list_writes`: what is written of an entry, and of a list in segments what has changed.
- `change_detection`: whether a refresh found something new.
- `page_store`: GitHub's pages, for the next conditional requests.
- `unfinished_readings`: the pages of lists whose reading was interrupted.
- `on_demand_quota`: keeps on-demand content below ON_DEMAND_MAX_BYTES.
"""

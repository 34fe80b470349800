"""Everything about Redis that readers and refreshers share.

- `keys`: the table of all keys, the only module that spells them.
- `connection`: creates clients, with their timeouts.
- `sentinels`: a sentinel client that several threads can use at once.
- `store`: reads entries and their state.
- `announcements`: the messages on the pub/sub channel.
"""

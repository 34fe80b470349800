"""The change feed, `GET /changes`: followers are told of each stored change.

- `feed`: the thread of a process that reads the streams of events, and repeats older events.
- `event`: an event as this process tells it; pure.
- `window`: the events that the process has read last, in memory; pure.
- `following`: what a follower asks for; pure.
- `places`: how many followers a process and a client may have.
- `serving`: responds to followers, in the event loop.
"""

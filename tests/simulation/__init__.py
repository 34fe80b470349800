"""Deterministic simulation: the real decisions of a whole fleet in one thread, on virtual time.

- `hub`: virtual time; threads of the product run as greenlets.
- `primitives`: locks, events and threads as the hub's; put in the place of Python's own.
- `model_redis`: a Redis that runs the real scripts, with virtual time.
- `model_github`: the stand-in's world behind a transport without sockets.
- `fleet`: readers, refreshers, a scheduler and clients.
- `faults`: what goes wrong, and when: a function of the seed.
- `feed_followers`: what readers tell of the change feed.
- `promises`: what is checked after each step.
- `guards`: guards of the product that can be taken out.
- `run`: one run; shrinking.
"""

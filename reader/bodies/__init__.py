"""Request bodies: which are wanted, and how they are read within limits.

- `wanted_bodies`: which requests may bring a body, and what they must show first.
- `body_reader`: reads them in the event loop, with limits of time, number and size.
"""

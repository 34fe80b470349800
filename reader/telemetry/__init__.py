"""Counters, access log and ids of the requests that a reader process serves.

- `counters`: `RequestLabels` and the numbers by labels. `process_files`: the sums of all processes
  of a node, through files.
- `access_log`: one line for some or all requests. `request_ids`: `X-Request-Id`.
- `request_telemetry`: the one place where a request of Flask or of the ASGI application gets its
  id, and is counted and logged. (The front's connection does the same inline, since a call would
  double the cost of a hit.)
"""

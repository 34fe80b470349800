"""The readers: serve content from memory, else from Redis; never speak to GitHub.

Stale and missing content is requested from the refreshers, through the queue. Imports `shared`,
and nothing of `refresher`.

- `asgi`, `wsgi`: what gunicorn serves. `app`, `routes`: the Flask application. `errors`: the errors
  that have an error response. `process`: the composition root of a reader process.
- `front`: hits, straight from the socket. `web`: requests as Flask has them.
- `cache`: where content is found. `response`: what is sent of it. `bodies`: request bodies.
- `telemetry`: counters, access log, request ids. `fleet`: what all processes report.
- `webhooks`, `status`, `cli`: GitHub's deliveries, the status page, the command line.
"""

from reader.app import create_app

__all__ = ["create_app"]

"""HTTP semantics of a reader, all pure: no framework, clock, socket or Redis.

- `target`: which resource a request target names, and which part of it.
- `representation`, `paging`, `ranked_view`: the whole of an entry, one page of a list, one view.
- `client_url`: the URL that the client used, which `Link` leads back to.
- `response`: `RequestFields` and a representation -> status, header fields, body. Decides the
  ETag, the content coding, 304, `Link`, freshness fields and `Cache-Status`.
- `respond`: the one pipeline that the front and Flask both call; error responses.
- `health`: the responses of `/livez` and `/healthcheck`.
"""

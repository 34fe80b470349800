"""The front: answers what is in memory straight from the socket, and hands over everything else.

    socket ─> protocol.Front ── plain GET or HEAD of something held ──> bytes out
                  │ anything else, with the connection, byte for byte
                  └─> borrowed.Borrowed (gunicorn's protocol) ─> reader.asgi ─> Flask

An accelerator and nothing more: what it sends is what `reader.routes` would have sent, since both
take it from `reader.response.response`. Leave it out (`gunicorn -k gthread reader.wsgi:app`) and
every answer is the same, only slower.

One module for each thing it has to know: `head` (which requests are plain), `answers` (bytes for a
request, made at most once a second), `protocol` (one connection), `connections` (their limits),
`borrowed` (gunicorn's insides), `process` (what they know of the one they are in) and `worker` (how
gunicorn runs it all).
"""

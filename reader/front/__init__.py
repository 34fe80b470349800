"""The front: serves hits straight from the socket, and hands over everything else.

    socket ─> connection.FrontConnection ── plain GET or HEAD of an entry in memory ──> bytes out
                  │ anything else, with the connection, byte for byte
                  └─> gunicorn_protocol.GunicornProtocol ─> reader.asgi ─> Flask

It is an accelerator and nothing more: it sends what `reader.routes` would have sent, since both
call `reader.response.respond`. Without it (`gunicorn -k gthread reader.wsgi:app`) every response is
the same, only slower.

- `worker`: gunicorn's worker class. `worker_interface`: what a connection knows of it.
- `connection`: one connection. `connection_limits`: limits of number and time for all.
- `request_head`: parses plain requests. `rendered_responses`: bytes of responses, rendered at most
  once a second.
- `gunicorn_protocol`: gunicorn's own protocol, and all that we know of its internals.
"""

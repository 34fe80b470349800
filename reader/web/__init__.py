"""Requests and responses as Flask and ASGI have them.

- `request`: the parts of a request that Flask knows; sending a response unchanged through Flask.
- `request_hooks`: id, count and access log of each request that Flask serves.
- `asgi_types`: the types of an ASGI application.
- `client_address`: the address by which clients take turns.
- `mounted`: the mount `/api/v3` for Flask's routes.
- `wsgi_threads`: runs Flask in threads, for the event loop that sends its responses.
- `delayed_responses`: responses that wait in the event loop, without a thread.
"""

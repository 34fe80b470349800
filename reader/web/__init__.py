"""Requests and responses as Flask and ASGI have them.

- `request`: the parts of a request that Flask knows; sending a response unchanged through Flask.
- `request_hooks`: id, count and access log of each request that Flask serves.
- `asgi_types`: the types of an ASGI application.
- `delayed_responses`: responses that wait in the event loop, without a thread.
"""

"""A stand-in GitHub for tests and demonstrations: `python -m tests.fakegithub`.

A real HTTP server that a client cannot tell from api.github.com for the endpoints this project
reads, with GitHub's ETags, `Link` paging, rate limits and tokens for GitHub Apps, and with faults,
scripted mutations and counters on demand. It imports nothing of the project's own packages, so a
bug in them is never mirrored here.
"""

"""A stand-in GitHub for tests and demonstrations: `python -m tests.fakegithub`.

An HTTP server that behaves as api.github.com does for the endpoints that this project reads: ETags,
`Link` paging, rate limits, tokens for GitHub Apps. Tests can order faults and scripted mutations,
and read counters. It imports nothing of the project's own packages, so a bug in them is never
mirrored here.
"""

"""Finds stored content that differs from GitHub's although GitHub has confirmed it.

- `checks`: every so often one page of the fleet's is compared; what to do with a difference.
- `samples`: which page is compared.
- `comparison`: what a page shows, as digests; which differences have lasted.
- `doubts`: the differences that are not understood yet, in Redis.
- `turns`: one check at a time in the fleet.
"""

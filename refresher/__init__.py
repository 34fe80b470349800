"""The refreshers: RQ workers that ask GitHub and write what it says to Redis.

Imports `shared` and nothing of `reader`.
"""

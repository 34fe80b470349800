"""The readers: answer from memory, else from Redis; ask for a refresh; never speak to GitHub.

Imports `shared` and nothing of `refresher`.
"""

from reader.app import create_app

__all__ = ["create_app"]

"""Errors of measurements."""


class BenchError(Exception):
    """The measurement cannot be made, or would be wrong; the message says why in one line."""

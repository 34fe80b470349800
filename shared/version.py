"""The version of this code, equal to that in `pyproject.toml`."""

VERSION = "0.3.0"

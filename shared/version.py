"""The version of this code, as `pyproject.toml` has it: what a reader says that it runs."""

VERSION = "0.3.0"

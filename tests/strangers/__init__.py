"""Suites of others, as data, that are run against a reader; each with its source and licence."""

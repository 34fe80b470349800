"""Benchmarks; each measures the alternatives that it compares in one run."""

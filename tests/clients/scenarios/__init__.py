"""Scenarios: what users of a client do with public data, one program per client."""

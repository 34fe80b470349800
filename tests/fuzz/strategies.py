"""Bytes for the targets by Hypothesis: seeds, put together anew and damaged."""

from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS


def mutated(name: str) -> st.SearchStrategy[bytes]:
    """Pieces of a target's seeds with anything between them."""
    seeds = st.sampled_from(SEEDS[name])
    pieces = st.builds(
        lambda seed, at, length: seed[at : at + length],
        seeds,
        st.integers(0, 60),
        st.integers(0, 60),
    )
    odd = st.binary(max_size=3) | st.sampled_from(
        [b"%2e", b"%2F", b"%00", b"\r\n", b"\n", b'"', b",", b";", b"?", b"&", b"/", b"\\", b"%C3"]
    )
    return st.lists(seeds | pieces | odd, max_size=5).map(b"".join)

"""What a client's `Cache-Control` says of the age that it takes (RFC 9111 section 5.2.1)."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.cache.age_bound import ANY_AGE, AgeBound, bound_of
from tests.builders import NOW, make_metadata

MALFORMED = (
    *("", ",", " , ,", "=", "=5", "max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age=x"),
    *("max-age =5", "max-age= 5", "max-age=0x10", "max-age=٣", 'max-age="5', "max-age='5'"),
    *("max age=5", "min-fresh", "min-fresh=", "max-stale=x", 'no-cache"', '"no-cache"', "nocache"),
    *("no-cache no-store", "only-if-cached only", "\\", '"', '"\\', "\x00", "max-age=5;no-cache"),
    *("no-store", "no-transform", "stale-if-error=60", "private", "immutable", "s-maxage=0"),
)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("max-age=30", AgeBound(30, 0)),
        ("Max-Age=30", AgeBound(30, 0)),
        ('max-age="30"', AgeBound(30, 0)),
        ('max-age="3\\0"', AgeBound(30, 0)),
        ("max-age=0", AgeBound(0, 0)),
        ("max-age=030", AgeBound(30, 0)),
        (f"max-age={'0' * 5000}30", AgeBound(30, 0)),
        (f"max-age={'9' * 5000}", AgeBound(2**31, 0)),
        ("max-age=99999999999999999999999", AgeBound(2**31, 0)),
        ("no-cache", AgeBound(0, 0)),
        ("no-cache=anything", AgeBound(0, 0)),
        ("no-store, no-cache", AgeBound(0, 0)),
        ("max-age=30, no-cache", AgeBound(0, 0)),
        ("max-age=30, max-age=5", AgeBound(30, 0)),
        ("max-stale", ANY_AGE),
        ("max-stale=60", AgeBound(least_left=-60)),
        ("max-age=30, max-stale", AgeBound(30)),
        ("max-age=30, max-stale=5", AgeBound(30, -5)),
        ("max-age=30,,max-stale=x", AgeBound(30, 0)),
        ("min-fresh=10", AgeBound(least_left=10)),
        ("min-fresh=x, max-age=9", AgeBound(9, 0)),
        ("min-fresh=10, max-stale=5", AgeBound(least_left=10)),
        ("only-if-cached", AgeBound(only_if_cached=True)),
        ("only-if-cached, max-age=60", AgeBound(60, 0, only_if_cached=True)),
        ('x="a, no-cache", max-age=7', AgeBound(7, 0)),
        ('x="a\\", no-cache", max-age=7', AgeBound(7, 0)),
        ("x=\"a', max-age=7", ANY_AGE),
    ],
)
def test_each_directive_bounds_what_it_is_defined_to_bound(text: str, bound: AgeBound) -> None:
    assert bound_of(text) == bound


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_malformed_or_unknown_is_ignored(text: str) -> None:
    assert bound_of(text) is ANY_AGE


@pytest.mark.parametrize(
    ("cache_control", "pragma", "bound"),
    [
        (None, None, ANY_AGE),
        (None, "no-cache", AgeBound(0)),
        (None, "x, No-Cache", AgeBound(0)),
        (None, "max-age=0", ANY_AGE),
        (None, "no-cache=x", ANY_AGE),
        ("", "no-cache", ANY_AGE),
        ("max-age=9", "no-cache", AgeBound(9, 0)),
    ],
)
def test_pragma_counts_only_without_cache_control(
    cache_control: str | None, pragma: str | None, bound: AgeBound
) -> None:
    assert bound_of(cache_control, pragma) == bound


@given(st.text(), st.none() | st.text())
def test_no_text_is_an_error(text: str, pragma: str | None) -> None:
    bound = bound_of(text, pragma, floor=3)
    assert 0 <= bound.max_age <= inf
    assert bound.floor in {0, 3}


SECONDS = st.integers(0, 2**31)
GOOD = st.one_of(
    st.builds("max-age={}".format, SECONDS),
    st.builds('MIN-FRESH="{}"'.format, SECONDS),
    st.builds("max-stale={}".format, SECONDS),
    st.sampled_from(["max-stale", "no-cache", "only-if-cached"]),
)


# Of a directive that is named, a malformed argument is ignored, and so are its later members.
UNKNOWN = st.sampled_from(
    [one for one in MALFORMED if not {*one} & {'"', ","} and not one.startswith(("m", "only"))]
)


@given(st.lists(st.tuples(GOOD, st.lists(UNKNOWN))), st.sampled_from([",", ", ", " ,\t"]))
def test_malformed_members_change_nothing(members: list[tuple[str, list[str]]], comma: str) -> None:
    good = [one for one, _ in members]
    all_of_them = [one for member, unknown in members for one in (*unknown, member)]
    assert bound_of(comma.join(all_of_them)) == bound_of(", ".join(good))


@pytest.mark.parametrize(
    ("bound", "age", "left", "is_taken"),
    [
        (ANY_AGE, 1e6, -1e6, True),
        (AgeBound(30, 0), 30, 1, True),
        (AgeBound(30, 0), 31, 1, False),
        (AgeBound(30, 0), 20, -1, False),
        (AgeBound(30, -5), 20, -5, True),
        (AgeBound(30, -5), 20, -6, False),
        (AgeBound(30), 20, -1e6, True),
        (AgeBound(least_left=-60), 1e6, -60, True),
        (AgeBound(least_left=-60), 1e6, -61, False),
        (AgeBound(least_left=10), 1e6, 10, True),
        (AgeBound(least_left=10), 1, 9, False),
        (AgeBound(0, 0), 0, 60, True),
        (AgeBound(0, 0), 0.1, 60, False),
        (AgeBound(0, 0, floor=5), 5, 60, True),
        (AgeBound(0, 0, floor=5), 5.1, 60, False),
        (AgeBound(least_left=1000, floor=5), 5, 60, True),
        (AgeBound(0, 0, floor=5), -1, 60, True),  # confirmed after the request
        (AgeBound(0, 0, floor=5), -100, 60, True),
    ],
)
def test_content_is_taken_within_all_bounds_or_the_floor(
    bound: AgeBound, age: float, left: float, *, is_taken: bool
) -> None:
    metadata = make_metadata(validated_at=NOW - age, fresh_until=NOW + left)
    later = NOW + max(0.0, -age)  # the answer cannot have come before GitHub was asked
    assert bound.admits(metadata, asked_at=NOW, now=later) is is_taken


def test_content_that_was_confirmed_in_the_future_is_not_within_the_floor() -> None:
    metadata = make_metadata(validated_at=NOW + 100, fresh_until=NOW + 50)
    assert not AgeBound(least_left=60, floor=5).admits(metadata, asked_at=NOW, now=NOW)

"""A list that lost much is not believed until a second look says the same."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from refresher.content.collapse import (
    MOST_LOOKS,
    Extent,
    Judgement,
    Look,
    is_collapse,
    judge,
)
from shared.suspicion import FEWEST_ITEMS, SECOND_LOOK_S, Suspicion
from tests.builders import NOW

HELD = Extent(245, 3)
LATER = NOW + SECOND_LOOK_S + 1


def look(items: int, *, at: float = NOW, ends_without_link: bool = False) -> Look:
    """A look that takes a second."""
    return Look(Extent(items, max(1, -(-items // 100))), ends_without_link, at, at + 1)


def suspect(items: int, *, looks: int = 1) -> Suspicion:
    """A first look, which ended at `NOW`."""
    return Suspicion(NOW, items, HELD.items, looks, "x")


@pytest.mark.parametrize(
    ("held", "seen", "ends_without_link", "expected"),
    [
        # more than half of at least ten items
        ((245, 3), (0, 1), False, True),
        ((245, 3), (122, 2), False, True),
        ((245, 3), (123, 2), False, False),
        ((10, 1), (5, 1), True, False),
        ((10, 1), (4, 1), True, True),
        ((10, 1), (0, 1), True, True),
        ((9, 1), (0, 1), True, False),
        ((0, 1), (0, 1), True, False),
        # a first page without `Link` where there were more
        ((130, 2), (100, 1), True, True),
        ((130, 2), (100, 1), False, False),
        ((250, 3), (200, 2), True, True),
        ((101, 2), (100, 1), True, True),
        # nothing was lost
        ((100, 2), (100, 1), True, False),
        ((100, 1), (99, 1), True, False),
        ((245, 3), (246, 3), True, False),
        ((80, 6), (80, 1), True, False),
    ],
)
def test_what_a_collapse_is(
    held: tuple[int, int], seen: tuple[int, int], *, ends_without_link: bool, expected: bool
) -> None:
    found = is_collapse(Extent(*held), Extent(*seen), ends_without_link=ends_without_link)
    assert found is expected


@pytest.mark.parametrize("items", [0, 1, 100, 122])
def test_the_first_look_is_doubted(items: int) -> None:
    judged = judge(HELD, look(items), None)
    assert judged.suspicion is not None
    assert (judged.suspicion.items, judged.suspicion.before) == (items, 245)
    assert (judged.suspicion.at, judged.suspicion.looks) == (NOW + 1, 1)
    assert "where there were 245; not believed before a second look" in judged.note


def test_a_second_look_that_shows_the_same_is_believed() -> None:
    judged = judge(HELD, look(0, at=LATER), suspect(0))
    assert judged.suspicion is None
    assert judged.note == (
        "GitHub shows 0 items where there were 245; believed, as a look 31 s before showed the same"
    )


@pytest.mark.parametrize("seconds", [-3, 0, 29.9])
def test_a_look_that_comes_too_early_leaves_the_doubt_as_it_is(seconds: float) -> None:
    judged = judge(HELD, look(0, at=NOW + seconds), suspect(0))
    assert judged.suspicion == suspect(0)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 2), (100, 110), (60, 55), (122, 120)])
def test_items_may_come_and_go_between_two_looks(first: int, second: int) -> None:
    assert judge(HELD, look(second, at=LATER), suspect(first)).suspicion is None


@pytest.mark.parametrize(("first", "second"), [(0, 2), (0, 100), (100, 0), (60, 50)])
def test_another_collapse_is_doubted_anew(first: int, second: int) -> None:
    judged = judge(HELD, look(second, at=LATER), suspect(first))
    assert judged.suspicion is not None
    assert (judged.suspicion.items, judged.suspicion.looks) == (second, 2)
    assert judged.suspicion.look_at >= LATER + SECOND_LOOK_S


def test_what_is_not_public_is_not_lost_and_not_told() -> None:
    seen = Extent(100, 1, hidden=90)
    judged = judge(HELD, Look(seen, ends_without_link=False, asked_at=NOW, ended_at=NOW), None)
    assert judged.suspicion is not None
    assert judged.suspicion.items == 10
    assert "GitHub shows 10 items where there were 245" in judged.note
    assert not is_collapse(HELD, Extent(245, 3, hidden=200), ends_without_link=False)


def test_what_became_private_between_two_looks_is_not_another_loss() -> None:
    seen = Extent(100, 1, hidden=90)
    second = Look(seen, ends_without_link=False, asked_at=LATER, ended_at=LATER)
    assert judge(HELD, second, suspect(100)).suspicion is None


def test_a_look_that_shows_the_list_ends_the_doubt() -> None:
    judged = judge(HELD, look(240, at=NOW + 5), suspect(0))
    assert judged == Judgement(note="nothing is in doubt any more: GitHub shows 240 items again")


def test_a_doubt_from_the_future_is_a_first_look() -> None:
    judged = judge(HELD, look(0, at=NOW - 100), suspect(0))
    assert judged.suspicion is not None
    assert judged.suspicion.at == NOW - 99


def test_without_a_loss_there_is_nothing_to_say() -> None:
    assert judge(HELD, look(245), None) == Judgement()


@given(
    st.builds(Extent, st.integers(0, 500), st.integers(1, 6)),
    st.lists(st.tuples(st.integers(0, 500), st.floats(0, 100), st.booleans()), max_size=12),
)
def test_a_list_that_stays_collapsed_is_believed_in_bounded_time_and_never_at_once(
    held: Extent, looks: list[tuple[int, float, bool]]
) -> None:
    """Whatever comes: no first look is believed, nor one within 30 s, and the fifth apart is."""
    suspicion, now, apart = None, NOW, 0
    for items, pause, ends_without_link in looks:
        now += pause
        one = look(items, at=now, ends_without_link=ends_without_link)
        is_lost = is_collapse(held, one.seen, ends_without_link=ends_without_link)
        judged = judge(held, one, suspicion)
        if not is_lost:
            assert judged.suspicion is None
            suspicion, apart = None, 0
            continue
        if suspicion is None:
            assert judged.suspicion is not None
        elif now < suspicion.look_at:
            assert judged.suspicion is not None
            assert judged.suspicion.looks == suspicion.looks
        else:
            apart += 1
        if judged.suspicion is None:
            return
        assert apart < MOST_LOOKS - 1
        assert judged.suspicion.at <= now + 1
        suspicion = judged.suspicion


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_short_list_and_a_small_loss_are_never_doubted(held: int, seen: int) -> None:
    assume(held < FEWEST_ITEMS or 2 * seen >= held)
    assert not is_collapse(Extent(held, 1), Extent(seen, 1), ends_without_link=True)

"""Rows that are carried over into a stored view give the segments that a full ranking gives."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

import pytest

from refresher.content.ranking import USUAL_ROWS, Ranker, Row
from refresher.content.view_change import (
    StoredView,
    ViewRow,
    ViewRun,
    changed_view,
    runs_of,
)
from refresher.errors import StoredPageError
from shared.entry import VIEW_SEPARATOR
from shared.resources.kinds import Value
from shared.segments import Packed, Segment, borders

Values = Mapping[str, Value]

NUMBERS: Sequence[Value] = range(40)
DATES: Sequence[Value] = [None, *(f"2026-01-{day:02}T00:00:00Z" for day in range(1, 29))]


def ranked(values: Values) -> list[ViewRun]:
    """The segments by a full ranking."""
    return runs_of(*Ranker([Row(name, (value,)) for name, value in values.items()]).ranked(0))


def stored(values: Values) -> StoredView:
    """The view as it is stored; only its segments can be loaded."""
    segments, lasts, bodies = [], [], dict[bytes, bytes]()
    order = sorted(values, key=lambda name: name)
    order.sort(key=lambda name: (values[name] is not None, values[name] or 0), reverse=True)
    for run in ranked(values):
        assert run.texts is not None
        texts = [text.encode() for text in run.texts]
        packed, checked = Packed.of(texts, separator=VIEW_SEPARATOR)
        segments.append(Segment(run.name, len(texts), checked, len(packed.blocks)))
        bodies[run.name] = packed.to_bytes()
        name = order[sum(one.items for one in segments) - 1]
        lasts.append(ViewRow(name, values[name]))
    return StoredView(segments, lasts, bodies.get)


def changed(before: Values, after: Values) -> list[ViewRun]:
    """The segments of one view made from those of another."""
    gone = [ViewRow(*one) for one in before.items() - after.items()]
    new = [ViewRow(*one) for one in after.items() - before.items()]
    return changed_view(stored(before), gone, new)


def same(found: Sequence[ViewRun], expected: Sequence[ViewRun]) -> bool:
    """Whether segments are equal; those that are stored come without texts."""
    return [(one.name, one.last) for one in found] == [
        (one.name, one.last) for one in expected
    ] and all(
        one.texts is None or one.texts == other.texts
        for one, other in zip(found, expected, strict=True)
    )


def many(random: Random, length: int, values: Sequence[Value]) -> dict[str, Value]:
    return {f'Netflix/"é\ud800{number}': random.choice(values) for number in range(length)}


@pytest.mark.parametrize("values", [NUMBERS, DATES, [7], [None]])
@pytest.mark.parametrize("length", [1, 300, 3000])
def test_a_few_changes_give_what_a_full_ranking_gives(length: int, values: Sequence[Value]) -> None:
    random = Random(f"{length} {values}")
    for _ in range(20):
        before = many(random, length, values)
        after = dict(before)
        for _ in range(random.choice([1, 1, 2, 30])):
            name = random.choice(list(before))
            match random.choice(["value", "value", "gone", "new", "renamed"]):
                case "value":
                    after[name] = random.choice(values)
                case "gone" if len(after) > 1:
                    after.pop(name, None)
                case "new":
                    after[f"Netflix/new-{random.random()}"] = random.choice(values)
                case _ if name in after:
                    after[f"Netflix/other-{random.random()}"] = after.pop(name)
        assert same(changed(before, after), ranked(after))


def test_rows_that_end_segments_come_and_go() -> None:
    names = [f"Netflix/{number}" for number in range(3000)]
    ends = [name for name in names if any(borders([name], usual=USUAL_ROWS))]
    before: dict[str, Value] = {name: number % 50 for number, name in enumerate(names)}
    for name in ends:
        without = {one: value for one, value in before.items() if one != name}
        assert same(changed(before, without), ranked(without))
        assert same(changed(without, before), ranked(before))
    without = {one: value for one, value in before.items() if one not in ends}
    assert same(changed(before, without), ranked(without))
    assert same(changed(without, before), ranked(before))


def test_a_change_of_one_row_reads_few_segments() -> None:
    before: dict[str, Value] = {f"Netflix/{number}": number for number in range(7000)}
    view, loaded = stored(before), list[bytes]()

    def load(name: bytes) -> bytes | None:
        loaded.append(name)
        return view.load(name)

    row = ViewRow("Netflix/3500", 3500)
    changed_view(replace(view, load=load), [row], [ViewRow("Netflix/3500", 3501)])
    assert 1 <= len(loaded) <= 3
    assert len(view.segments) > 20


def test_what_is_damaged_or_of_another_view_is_not_built_upon() -> None:
    before: dict[str, Value] = {f"Netflix/{number}": number for number in range(1000)}
    view, row = stored(before), ViewRow("Netflix/500", 500)
    others: list[tuple[StoredView, ViewRow]] = [
        (replace(view, load=lambda _: None), row),
        (replace(view, load=lambda _: b"damaged"), row),
        (replace(view, load=lambda name: (view.load(name) or b"")[:-1]), row),
        (replace(view, lasts=()), row),
        (replace(view, lasts=[row] * len(view.lasts)), row),
        (replace(view, segments=(), lasts=()), row),
        (view, ViewRow("Netflix/500", 501)),
        (view, ViewRow("Netflix/another", 500)),
    ]
    for other, gone in others:
        with pytest.raises(StoredPageError):
            changed_view(other, [gone], [])

"""The page says of every probe how the reader answers it, and why where it differs."""

from tests.strangers.page import LEVELS, PAGE, PROBES, VERDICTS, page, read_reasons
from tests.strangers.probes import read_probes

ALL = read_probes(PROBES)


def test_all_215_probes_are_there() -> None:
    assert len({probe.name for probe in ALL}) == len(ALL) == 215
    assert {probe.level for probe in ALL} == set(LEVELS)
    assert {probe.verdict for probe in ALL} == set(VERDICTS)


def test_each_answer_that_is_not_as_asked_has_a_reason_and_no_other() -> None:
    assert set(read_reasons()) == {one.name for one in ALL if one.verdict != "as asked"}


def test_the_page_is_generated_from_the_probes() -> None:
    assert PAGE.read_text() == page(), "run `python -m tests.strangers.page`"

"""What the page and `doctor` say of deliveries of webhooks that were lost."""

from typing import Any

import pytest

from reader.cli.checks.finding import Verdict
from reader.cli.checks.webhooks import check_redelivery
from reader.fleet.view import Fleet
from reader.status.delivery_rows import NOT_DONE, deliveries, told_words
from reader.status.delivery_statements import lost_deliveries
from reader.status.statement import Level
from shared.lost_deliveries import APP, Fate, LookReport, SourceReport
from shared.measures import Measure, Measures
from tests.builders import NOW, make_settings
from tests.reader.status.fleets import make_fleet

NOTHING = "No webhook has told of anything in the last 30 days."
WELL = SourceReport("Netflix", hooks=1)


def fleet_of(*sources: SourceReport, at: float = NOW - 10, **counts: int) -> Fleet:
    """A fleet whose refreshers have looked; `counts` by the names of `Fate`."""
    counted: Any = {(Fate[name],): float(number) for name, number in counts.items()}
    return make_fleet(
        redelivery=LookReport(at, 300, sources), measures=Measures({Measure.DELIVERIES: counted})
    )


def titles(fleet: Fleet) -> list[tuple[Level, str]]:
    return [
        (one.level, one.title.removeprefix("Deliveries of GitHub's webhooks "))
        for one in lost_deliveries(fleet)
    ]


def test_without_a_credential_the_page_says_that_nobody_looks() -> None:
    fleet = make_fleet()
    assert deliveries(fleet) == {"deliveries": [], "deliveries_words": f"{NOTHING} {NOT_DONE}"}
    assert titles(fleet) == []


def test_what_was_told_is_said_in_a_sentence() -> None:
    told = {"ping": NOW - 1}
    assert told_words(make_fleet(told=told)) == NOTHING
    told |= {"push": NOW - 90, "star": NOW - 5}
    assert told_words(make_fleet(told=told)) == (
        "The last webhook came 5 s ago (star), of 2 kinds of event in the last 30 days."
    )


def test_what_became_of_lost_deliveries_is_said_in_a_sentence() -> None:
    fleet = fleet_of(WELL, LOST=12, ASKED=14, HEALED=11, GIVEN_UP=1)
    assert deliveries(fleet)["deliveries_words"] == (
        f"{NOTHING} "
        "Last look 10 s ago, one every 5 min. So far 12 lost, asked for again 14 times, "
        "11 arrived later, 1 given up."
    )
    many = deliveries(fleet_of(WELL, LOST=105, COVERED=105))["deliveries_words"]
    assert many.endswith("for 105, all content was refreshed instead.")


def test_each_source_has_a_row() -> None:
    rows = deliveries(
        fleet_of(
            WELL,
            SourceReport("Google", hooks=1, waiting=2),
            SourceReport("Apple", problem="GitHub answered 404"),
            SourceReport(APP),
        )
    )["deliveries"]
    assert [(row["name"], row["level"], row["state"], row["waiting"]) for row in rows] == [
        ("Netflix", Level.GOOD, "all have arrived", "0"),
        ("Google", Level.NOTE, "some were lost", "2"),
        ("Apple", Level.WARN, "GitHub answered 404", "0"),
        (APP, Level.NOTE, "no webhook leads here", "0"),
    ]


@pytest.mark.parametrize(
    ("fleet", "expected"),
    [
        (fleet_of(WELL), []),
        (fleet_of(WELL, at=NOW - 1300), [(Level.WARN, "are not looked at")]),
        (fleet_of(SourceReport(APP)), []),
        (fleet_of(SourceReport("Netflix")), [(Level.NOTE, "are not looked for")]),
        (fleet_of(WELL, SourceReport(APP)), []),
        (fleet_of(WELL, SourceReport("A", problem="x")), [(Level.WARN, "cannot be listed")]),
        (fleet_of(SourceReport("A", 1, waiting=2, codes=(502,))), [(Level.NOTE, "were lost")]),
        (
            fleet_of(SourceReport("A", 1, waiting=2, given_up=1, codes=(401,))),
            [(Level.WARN, "do not arrive")],
        ),
    ],
)
def test_what_an_operator_should_know_is_a_statement(
    fleet: Fleet, expected: list[tuple[Level, str]]
) -> None:
    assert titles(fleet) == expected


def test_a_statement_names_the_status_that_github_shows() -> None:
    [said] = lost_deliveries(fleet_of(SourceReport("A", 1, given_up=1, codes=(0, 401))))
    assert said.text.startswith("1 delivery of the last three days did not arrive")
    assert "GitHub shows 401 for them." in said.text


class TestDoctor:
    def verdicts(self, fleet: Fleet, **settings: Any) -> list[tuple[Verdict, str]]:
        found = check_redelivery(make_settings(**settings), fleet)
        return [(one.verdict, one.found) for one in found]

    def test_it_notes_that_nobody_looks_if_there_are_webhooks(self) -> None:
        assert self.verdicts(make_fleet()) == []
        [(verdict, found)] = self.verdicts(make_fleet(), github_webhook_secret="s")
        assert (verdict, found) == (Verdict.NOTE, NOT_DONE.rstrip("."))

    def test_it_says_that_all_is_well_or_what_is_not(self) -> None:
        assert [one[0] for one in self.verdicts(fleet_of(WELL))] == [Verdict.OK]
        problem = fleet_of(SourceReport("Netflix", problem="GitHub answered 401"))
        [(verdict, found)] = self.verdicts(problem)
        assert verdict is Verdict.WARNING
        assert "Netflix (GitHub answered 401)" in found

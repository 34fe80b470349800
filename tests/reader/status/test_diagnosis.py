"""Statements are clear enough for an operator who was just woken up."""

from dataclasses import replace
from typing import Any

import pytest

from reader.status.diagnosis import diagnose
from reader.status.statement import Level, Statement, Topic
from reader.status.states import State, state_of
from shared.credential_refusals import CredentialRefusal
from shared.drift import Drift
from shared.measures import Labels, Measure, Measures
from shared.outcomes import FailureKind
from tests.builders import NOW
from tests.reader.status.fleets import (
    failing_since,
    make_budget,
    make_fleet,
    make_reader,
    make_stale,
    make_view,
    make_worker,
)

REPOS = "/orgs/Netflix/repos"


def test_what_is_looked_at_again_is_counted() -> None:
    titles = [one.title for one in diagnose(make_fleet(looks=2), [], now=NOW)]
    assert "2 resources looked at again" in titles
    assert not any("looked" in one.title for one in diagnose(make_fleet(), [], now=NOW))


def test_drift_is_a_warning_for_an_hour_and_then_a_note() -> None:
    found = [Drift(NOW - 100, REPOS, ("1", "2")), Drift(NOW - 7200, "/users/mona")]
    (said,) = (one for one in diagnose(make_fleet(drift=found), [], now=NOW) if is_drift(one))
    assert (said.level, said.title) == (Level.WARN, "Drift was found, and healed")
    assert said.text.startswith("/orgs/Netflix/repos (2 items) 1 min 40 s ago and /users/mona 2 h")
    many = [Drift(NOW - 4000, "/x")] * 5
    (said,) = (one for one in diagnose(make_fleet(drift=many), [], now=NOW) if is_drift(one))
    assert said.level is Level.NOTE
    assert "and 2 more: what was stored" in said.text
    assert not any(map(is_drift, diagnose(make_fleet(), [], now=NOW)))


def test_pages_that_were_compared_are_counted_if_all_is_well() -> None:
    counts: dict[Labels, float] = {
        ("same",): 5.0,
        ("different",): 1.0,
        ("older",): 1.0,
        ("failed",): 9.0,
    }
    fleet = make_fleet(measures=Measures({Measure.DRIFT_CHECKS: counts}))
    (said,) = diagnose(fleet, [], now=NOW)
    assert said.text.endswith(
        "6 comparisons of a stored page with GitHub's own answer found nothing that was wrong."
    )


def is_drift(said: Statement) -> bool:
    return said.topic is Topic.DRIFT


def test_withdrawn_repositories_are_counted_and_not_named() -> None:
    titles = [one.title for one in diagnose(make_fleet(withdrawn=1), [], now=NOW)]
    assert "1 repository withdrawn" in titles
    assert not any("withdrawn" in one.title for one in diagnose(make_fleet(), [], now=NOW))


def test_a_resources_state_is_its_worst_one() -> None:
    failure = failing_since(60)
    assert state_of(make_view()) is State.FRESH
    assert state_of(make_view(invalidated_by=True)) is State.STALE
    assert state_of(make_stale()) is State.STALE
    assert state_of(make_view(failure=failure)) is State.FAILING
    assert state_of(make_stale(failure=failure)) is State.FAILING
    assert state_of(make_view(metadata=None, failure=failure)) is State.MISSING


def test_a_healthy_fleet_has_one_statement() -> None:
    fleet = make_fleet()
    (said,) = diagnose(fleet, [], now=NOW)
    assert said.level is Level.GOOD
    assert said.title == "Everything is fresh"
    assert said.text == (
        f"{len(fleet.tracked)} tracked resources can be served "
        "and will stay fresh for at least 15 min."
    )


def test_a_failure_is_stated_with_its_start_reason_consequence_and_next_try() -> None:
    old = make_stale("/orgs/Netflix/repos", age=1860, failure=failing_since(740))
    fleet = make_fleet(old, make_stale("/", failure=failing_since(300)), make_view())
    said = diagnose(fleet, [], now=NOW)
    assert [one.title for one in said] == ["GitHub is failing"]
    assert said[0].level is Level.WARN
    assert said[0].text == (
        "2 of 3 tracked resources cannot be refreshed. "
        "GitHub answered 502. Since 07:47:40 UTC (12 min 20 s), until 08:00:12 UTC (in 12 s). It "
        "ends when a refresh succeeds; the next one may begin at that time, or at once if an "
        "operator refreshes it or resumes refreshing. Cached content is still served, at most 31 "
        "min old."
    )


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (FailureKind.RATE_LIMITED, "GitHub's rate limit is reached"),
        (FailureKind.UNAUTHORIZED, "GitHub rejects our credentials"),
        (FailureKind.INTERNAL, "Refreshes fail with an internal error"),
        (FailureKind.TIMEOUT, "GitHub is failing"),
    ],
)
def test_the_title_names_the_cause(kind: FailureKind, title: str) -> None:
    fleet = make_fleet(make_view(failure=failing_since(5, kind=kind)))
    assert diagnose(fleet, [], now=NOW)[0].title == title


def test_an_overdue_try_is_due_now() -> None:
    fleet = make_fleet(make_view(failure=failing_since(60, retry_at=NOW - 5)))
    assert "until now. It ends when a refresh succeeds" in diagnose(fleet, [], now=NOW)[0].text


def test_missing_resources_come_first_with_the_reason() -> None:
    missing = make_view("/orgs/Netflix/members", metadata=None, failure=failing_since(90))
    said = diagnose(make_fleet(make_stale(), missing, workers=[]), [], now=NOW)
    assert [one.level for one in said] == [Level.BAD, Level.WARN, Level.NOTE]
    assert said[0].title == "1 resource missing"
    assert said[0].text.startswith(
        "/orgs/Netflix/members cannot be served: nothing is cached yet. GitHub answered 502. Since"
    )


def test_stale_content_without_refreshers_is_not_said_to_be_on_its_way() -> None:
    well, idle = make_fleet(make_stale()), make_fleet(make_stale(), workers=[])
    assert "The refresh is queued, or about to be." in diagnose(well, [], now=NOW)[0].text
    texts = [one.text for one in diagnose(idle, [], now=NOW)]
    assert "No refresh is under way." in texts[1]
    assert texts[0].startswith("Nothing is refreshed: start `rq worker refresh`")


def test_pauses_by_an_operator_and_by_github_are_stated() -> None:
    fleet = make_fleet(
        suspended=True,
        suspended_since=NOW - 120,
        origin_paused_until=NOW + 45,
        origin_paused_since=NOW - 15,
    )
    said = {one.title: one.text for one in diagnose(fleet, [], now=NOW)}
    assert said == {
        "Refreshing is paused": (
            "An operator has paused refreshing. Since 07:58:00 UTC (2 min), with no end set. It "
            "ends when an operator resumes refreshing. Cached content is served, but not renewed."
        ),
        "GitHub asked for a pause": (
            "GitHub reported a secondary rate limit. Since 07:59:45 UTC (15 s), until 08:00:45 "
            "UTC (in 45 s). It ends when that time is over (if GitHub asked for more than an hour, "
            "when one request in ten minutes succeeds), or an operator resumes refreshing. Cached "
            "content is served, but not renewed."
        ),
    }


def test_clocks_that_are_wrong_are_named_beside_what_is_well() -> None:
    fleet = make_fleet(
        make_view(), readers=[make_reader(skew=-600.4)], workers=[make_worker(skew=3.0)]
    )
    titles = [one.title for one in diagnose(fleet, [], now=NOW)]
    assert titles == ["Clocks disagree", "Everything is fresh"]
    named = diagnose(fleet, [], now=NOW)[0].text
    assert named.startswith("Machines whose clock is wrong: ")
    assert "(600 s behind Redis's) and box:7 (3 s ahead of Redis's). " in named


@pytest.mark.parametrize("skew", [-2.0, 0.0, 1.9])
def test_clocks_that_differ_a_little_are_not_named(skew: float) -> None:
    fleet = make_fleet(
        make_view(), readers=[make_reader(skew=skew)], workers=[make_worker(skew=skew)]
    )
    assert [one.title for one in diagnose(fleet, [], now=NOW)] == ["Everything is fresh"]


def test_readers_of_several_versions_are_noted() -> None:
    fleet = make_fleet(readers=[make_reader(version="2"), make_reader(version="1")])
    assert diagnose(fleet, [], now=NOW)[0].text == (
        "Readers run versions 1 and 2: a deployment is under way."
    )


class TestACredentialThatSeesTooMuch:
    def test_is_named_with_its_signs_and_what_to_create_instead(self) -> None:
        privileges = ["has the scope repo", "may push to a repository"]
        budget = make_budget(scopes="repo", privileges=privileges)
        said = diagnose(make_fleet(budgets=[budget]), [], now=NOW)
        assert [(one.level, one.title) for one in said] == [
            (Level.WARN, "A credential sees more than the public"),
            (Level.GOOD, "Everything is fresh"),
        ]
        assert said[0].text == (
            "Readers still serve only public content, but a bug could expose the rest. "
            "abc123 has the scope repo and may push to a repository: make a classic token without "
            "any scope, of an account that belongs to no organisation."
        )

    def test_has_a_bounded_description(self) -> None:
        privileges = [f"has the scope s{number}" for number in range(9)]
        budget = make_budget(scopes="s1", privileges=privileges)
        text = diagnose(make_fleet(budgets=[budget]), [], now=NOW)[0].text
        assert "has the scope s2 and 6 more: make" in text

    @pytest.mark.parametrize(
        ("known", "instead"),
        [
            ({"credential": "app-7"}, "leave the GitHub App only the permission `Metadata: read`"),
            ({"scopes": ""}, "make a classic token without any scope, of an account that belongs"),
            ({"scopes": None}, 'or a fine-grained token with "Public repositories (read-only)".'),
        ],
    )
    def test_is_replaced_by_one_of_its_own_kind(self, known: dict[str, Any], instead: str) -> None:
        budget = make_budget(privileges=["sees what is private"], **known)
        assert instead in diagnose(make_fleet(budgets=[budget]), [], now=NOW)[0].text

    def test_is_named_once_for_all_of_its_budgets(self) -> None:
        budgets = [
            make_budget(credential=credential, resource_class=one, privileges=["sees it"])
            for credential in ("a", "b")
            for one in ("core", "search")
        ]
        (text, _) = (one.text for one in diagnose(make_fleet(budgets=budgets), [], now=NOW))
        assert (text.count("a sees it"), text.count("b sees it")) == (1, 1)

    def test_does_not_come_before_what_cannot_be_served(self) -> None:
        fleet = make_fleet(
            make_view(metadata=None), workers=[], budgets=[make_budget(privileges=["sees it"])]
        )
        titles = [one.title for one in diagnose(fleet, [], now=NOW)]
        assert titles == [
            "1 resource missing",
            "No refresher is running",
            "A credential sees more than the public",
        ]

    def test_is_only_noted_if_private_repositories_are_served(self) -> None:
        fleet = make_fleet(budgets=[make_budget(privileges=["sees what is private"])])
        said = diagnose(fleet, [], now=NOW, include_private=True)
        assert [one.level for one in said] == [Level.NOTE, Level.NOTE, Level.GOOD]
        assert "INCLUDE_PRIVATE=true needs one that sees private repositories" in said[1].text
        assert "make a" not in said[1].text


@pytest.mark.parametrize("is_away", [False, True])
def test_served_private_repositories_are_noted(is_away: bool) -> None:
    fleet = None if is_away else make_fleet()
    said = diagnose(fleet, [make_view()], now=NOW, include_private=True)
    assert (Level.NOTE, "Private repositories are served to everybody") in [
        (one.level, one.title) for one in said
    ]
    assert len(said) == 2
    assert len(diagnose(fleet, [make_view()], now=NOW)) == 1


class TestWhileRedisIsAway:
    def test_it_states_what_is_served_from_memory(self) -> None:
        held = [make_view(), make_stale("/", age=4000)]
        (said,) = diagnose(None, held, now=NOW, away_since=NOW - 30)
        assert said.level is Level.WARN
        assert said.text.startswith(
            "Redis does not respond. Since 07:59:30 UTC (30 s), with no end set. It ends when "
            "Redis responds again. This reader serves all 2 tracked resources from its memory, at "
            "most 1 h 6 min old; "
        )

    def test_it_is_worse_if_a_resource_is_not_in_memory(self) -> None:
        held = [make_view(), replace(make_view("/"), metadata=None)]
        (said,) = diagnose(None, held, now=NOW)
        assert said.level is Level.BAD
        assert "serves 1 of 2 tracked resources from its memory" in said.text

    def test_a_reader_that_holds_nothing_promises_nothing(self) -> None:
        (said,) = diagnose(None, [make_view(metadata=None)], now=NOW)
        assert "memory, at most" not in said.text


def test_statements_are_ordered_the_worst_first() -> None:
    missing = make_view("/", metadata=None)
    fleet = make_fleet(missing, make_stale(), workers=[make_worker()], suspended=True)
    levels = [one.level for one in diagnose(fleet, [], now=NOW)]
    assert levels == sorted(levels, key=list(Level).index)


@pytest.mark.parametrize("is_operator", [False, True])
def test_only_operators_are_told_for_whom_github_refuses_a_credential(*, is_operator: bool) -> None:
    """Anyone can try names until it does, and so learn which ones exist."""
    refused = [
        CredentialRefusal(place, f"SAML of {place}.", NOW, NOW + 600) for place in ("acme", "bob")
    ]
    fleet = make_fleet(budgets=[make_budget(refused=refused)])
    (said,) = (
        one
        for one in diagnose(fleet, [], now=NOW, is_operator=is_operator)
        if one.topic is Topic.CREDENTIALS
    )
    for_operators = (
        "GitHub refuses abc123 for acme: SAML of acme. GitHub refuses abc123 for bob: SAML of bob."
    )
    for_all = (
        "GitHub refuses abc123 for some owners. Whoever signs in sees for which ones, and why."
    )
    end = " Others are used there, or none: requests without a credential have a small limit."
    assert said.text == (for_operators if is_operator else for_all) + end


def test_everybody_is_told_that_a_credential_is_refused_as_a_whole() -> None:
    aside = make_budget(aside_until=NOW + 60, aside_reason="Bad credentials")
    said = diagnose(make_fleet(budgets=[aside]), [], now=NOW)
    assert any(
        one.text.startswith("GitHub refuses abc123: Bad credentials. Others") for one in said
    )


def test_a_scheduler_that_died_is_told_of() -> None:
    (said,) = diagnose(make_fleet(scheduler_lost_at=NOW - 600), [], now=NOW)[:1]
    assert (said.level, said.title) == (Level.WARN, "No scheduler is running any more")
    assert said.text.startswith("The last one was heard of at 07:50:00 UTC (10 min ago), and has")
    assert said.runbook == "scheduler-lost"


def test_readers_without_temporary_files_are_named() -> None:
    files = {"counts": "No space left on device", "bodies": "No space left on device"}
    readers = [make_reader(files=files), make_reader(pid=12, files={"counts": "Read-only"})]
    (said,) = diagnose(make_fleet(readers=[*readers, make_reader(pid=13)]), [], now=NOW)[:1]
    assert (said.level, said.title) == (Level.WARN, "Temporary files cannot be written")
    assert said.text.startswith(
        "box:5000: bodies (No space left on device), counts (Read-only). Without them, each "
        "process shows only what it has counted itself and deliveries of more than 1 MiB are"
    )
    assert said.runbook == "temporary-files-failing"

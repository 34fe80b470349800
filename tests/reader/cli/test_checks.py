"""What is wrong with a set-up is found, and what is well is not complained of."""

from collections.abc import Iterable
from typing import Any

import pytest

from reader.cli.checks import (
    Finding,
    RedisFacts,
    Verdict,
    check_clocks,
    check_content,
    check_credentials,
    check_github,
    check_processes,
    check_redis,
    check_settings,
)
from reader.fleet import OriginView
from tests.builders import NOW, make_settings
from tests.reader.status.fleets import (
    failing_since,
    make_budget,
    make_fleet,
    make_stale,
    make_view,
    make_worker,
)

WELL = {
    "redis_version": "7.4.0",
    "aof_enabled": 0,
    "rdb_last_bgsave_status": "ok",
    "used_memory": 10_000_000,
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
    "evicted_keys": 0,
    "role": "master",
}


def facts(*, save: str | None = "300 1", latency: float = 0.0005, **info: Any) -> RedisFacts:
    return RedisFacts({**WELL, **info}, save, latency, 0.001)


def bad(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """What is not as it should be: the verdict, and the first words of what was found."""
    return [
        (finding.verdict, finding.found)
        for finding in findings
        if finding.verdict is not Verdict.OK
    ]


def test_a_sound_set_up_has_nothing_but_well_findings() -> None:
    findings = [
        *check_settings(make_settings(admin_token="a-token-of-24-characters"), {}),
        *check_redis(facts()),
        *check_clocks(facts(), 0.4),
        *check_credentials([make_budget()], NOW),
        *check_processes(make_fleet()),
        *check_content(make_fleet()),
        *check_github(make_fleet(origin=OriginView(NOW - 3, 304))),
    ]
    assert bad(findings) == []
    assert len(findings) >= 10


class TestSettings:
    def test_a_token_that_can_be_guessed(self) -> None:
        (found,) = bad(check_settings(make_settings(admin_token="short"), {}))
        assert found[0] == Verdict.WARNING
        assert "short" not in found[1]

    def test_a_github_token_where_only_readers_are(self) -> None:
        settings = make_settings(admin_token="a-token-of-24-characters")
        (found,) = bad(check_settings(settings, {"GITHUB_API_TOKEN": "ghp_secret"}))
        assert "ghp_secret" not in found[1]

    def test_a_log_of_everything(self) -> None:
        settings = make_settings(admin_token="a-token-of-24-characters", access_log=1)
        assert len(bad(check_settings(settings, {}))) == 1


class TestRedis:
    @pytest.mark.parametrize(
        ("info", "verdict", "said"),
        [
            ({"redis_version": "6.2.1"}, Verdict.PROBLEM, "Redis 6.2.1 answers"),
            ({"rdb_last_bgsave_status": "err"}, Verdict.PROBLEM, "its last snapshot failed"),
            ({"role": "slave"}, Verdict.PROBLEM, "it is a replica"),
            (
                {"maxmemory_policy": "allkeys-lru", "maxmemory": 10**9},
                Verdict.PROBLEM,
                "maxmemory-policy is allkeys-lru",
            ),
            ({"maxmemory_policy": "volatile-lru"}, Verdict.WARNING, "maxmemory-policy is volatile"),
            ({"evicted_keys": 3}, Verdict.WARNING, "it has thrown away 3 keys"),
            ({"maxmemory": 10_500_000}, Verdict.WARNING, "95 % of its memory is used"),
        ],
    )
    def test_what_loses_content(self, info: dict[str, Any], verdict: Verdict, said: str) -> None:
        found = bad(check_redis(facts(**info)))
        assert [one[0] for one in found] == [verdict]
        assert found[0][1].startswith(said)

    def test_that_keeps_nothing_on_disk(self) -> None:
        assert [one[0] for one in bad(check_redis(facts(save="")))] == [Verdict.WARNING]
        assert bad(check_redis(facts(save="", aof_enabled=1))) == []

    def test_that_does_not_tell_is_only_noted(self) -> None:
        assert [one[0] for one in bad(check_redis(facts(save=None)))] == [Verdict.NOTE]

    def test_that_is_far_away(self) -> None:
        assert "takes 80 ms" in bad(check_redis(facts(latency=0.08)))[0][1]

    def test_valkey_of_any_version_is_good_enough(self) -> None:
        assert bad(check_redis(facts(redis_version="7.2.4", valkey_version="8.0.0"))) == []


@pytest.mark.parametrize(
    ("offset", "verdict"),
    [(0.5, None), (-4, None), (6, Verdict.WARNING), (-30, Verdict.WARNING), (90, Verdict.PROBLEM)],
)
def test_clocks_that_differ(offset: float, verdict: Verdict | None) -> None:
    found = bad(check_clocks(facts(), offset))
    assert [one[0] for one in found] == ([verdict] if verdict else [])
    if verdict:
        way = "ahead of" if offset > 0 else "behind"
        assert way in found[0][1]


class TestCredentials:
    def test_that_may_do_more_than_is_needed(self) -> None:
        found = bad(check_credentials([make_budget(scopes="repo, read:org, admin:org")], NOW))
        assert found == [
            (Verdict.WARNING, "abc123: it may do more than is needed: admin:org and repo")
        ]

    def test_that_see_only_what_is_public(self) -> None:
        assert bad(check_credentials([make_budget(scopes="public_repo, read:org")], NOW)) == []

    def test_that_are_refused_spent_ending_or_absent(self) -> None:
        found = bad(
            check_credentials(
                [
                    make_budget(aside_until=NOW + 60),
                    make_budget(remaining=100),
                    make_budget(expires="2027-02-01 00:00:00 UTC"),
                    make_budget(credential="anonymous", limit=60, remaining=50),
                ],
                NOW,
            )
        )
        assert [one[0] for one in found] == [
            Verdict.PROBLEM, Verdict.WARNING, Verdict.NOTE, Verdict.NOTE,
        ]  # fmt: skip

    def test_that_nobody_has_used_are_only_noted(self) -> None:
        assert [one[0] for one in bad(check_credentials([], NOW))] == [Verdict.NOTE]


class TestProcesses:
    def test_without_refreshers_there_is_a_problem(self) -> None:
        found = bad(check_processes(make_fleet(workers=[])))
        assert found == [(Verdict.PROBLEM, "none is alive: nothing is refreshed")]

    def test_one_refresher_is_noted(self) -> None:
        found = bad(check_processes(make_fleet(workers=[make_worker()])))
        assert [one[0] for one in found] == [Verdict.NOTE]

    def test_a_pause_a_long_queue_and_no_readers_are_warned_of(self) -> None:
        fleet = make_fleet(suspended=True, queue_length=500, readers=[])
        assert [one[0] for one in bad(check_processes(fleet))] == [Verdict.WARNING] * 3


def test_what_fails_is_told_with_its_reason() -> None:
    missing = make_view("/", metadata=None)
    failing = make_stale(failure=failing_since(60))
    found = bad(check_content(make_fleet(missing, failing)))
    assert [one[0] for one in found] == [Verdict.PROBLEM, Verdict.WARNING]
    assert "GitHub answered 502" in found[1][1]


def test_a_github_that_failed_last_is_warned_of() -> None:
    assert [one[0] for one in bad(check_github(make_fleet(origin=OriginView(NOW - 3, 502))))] == [
        Verdict.WARNING
    ]
    assert [one[0] for one in bad(check_github(make_fleet()))] == [Verdict.NOTE]

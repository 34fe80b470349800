"""Checks find what is wrong with a set-up, and do not complain about what is right."""

from collections.abc import Iterable
from typing import Any

import pytest

from reader.cli.checks.clocks import check_clocks
from reader.cli.checks.credentials import check_credentials
from reader.cli.checks.environment import check_settings
from reader.cli.checks.finding import Finding, Verdict
from reader.cli.checks.fleet import check_content, check_cost, check_github, check_processes
from reader.cli.checks.holds import check_holds
from reader.cli.checks.neighbours import check_neighbours
from reader.cli.checks.redis_server import RedisFacts, check_redis
from reader.fleet.neighbours import Neighbours
from reader.fleet.queue_view import Queued
from reader.fleet.view import OriginView, TrackedView
from reader.status.hold_rows import holds_for
from shared.queue_order import Lane, Priority
from shared.resources.catalogue import Catalogue
from shared.settings import REFRESHERS_ONLY
from tests.builders import NOW, make_metadata, make_settings
from tests.reader.status.fleets import (
    failing_since,
    make_budget,
    make_fleet,
    make_page_input,
    make_reader,
    make_stale,
    make_view,
    make_worker,
)

SETTINGS = make_settings()
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
    """The verdict and text of each finding that is not ok."""
    return [
        (finding.verdict, finding.found)
        for finding in findings
        if finding.verdict is not Verdict.OK
    ]


def test_a_sound_set_up_has_only_ok_findings() -> None:
    findings = [
        *check_settings(make_settings(admin_token="a-token-of-24-characters"), {}),
        *check_redis(facts()),
        *check_clocks(0.001, 0.4, {}),
        *check_credentials([make_budget()], NOW),
        *check_processes(make_fleet()),
        *check_content(make_fleet()),
        *check_cost(make_fleet(), make_settings()),
        *check_github(make_fleet(origin=OriginView(NOW - 3, 304))),
    ]
    assert bad(findings) == []
    assert len(findings) >= 10


class TestSettings:
    def test_a_github_token_where_only_readers_are(self) -> None:
        settings = make_settings(admin_token="a-token-of-24-characters")
        (found,) = bad(check_settings(settings, {"GITHUB_API_TOKEN": "ghp_secret"}))
        assert "ghp_secret" not in found[1]

    @pytest.mark.parametrize("name", REFRESHERS_ONLY)
    def test_any_of_githubs_credentials_is_noted(self, name: str) -> None:
        settings = make_settings(admin_token="a-token-of-24-characters")
        assert [one[0] for one in bad(check_settings(settings, {name: "x"}))] == [Verdict.NOTE]

    def test_a_proxy_that_is_not_trusted(self) -> None:
        settings = make_settings(admin_token="a-token-of-24-characters")
        ((verdict, found),) = bad(check_settings(settings, {"FORWARDED_ALLOW_IPS": "*"}))
        assert verdict is Verdict.NOTE
        assert "TRUSTED_PROXIES" in found
        trusting = make_settings(
            admin_token="a-token-of-24-characters", trusted_proxies=("10.0.0.0/8",)
        )
        assert bad(check_settings(trusting, {"FORWARDED_ALLOW_IPS": "*"})) == []

    def test_copies_that_outlive_the_content(self) -> None:
        settings = make_settings(
            admin_token="a-token-of-24-characters", local_ttl=100, cache_ttl=60
        )
        ((verdict, found),) = bad(check_settings(settings, {}))
        assert verdict is Verdict.NOTE
        assert "LOCAL_TTL is longer than CACHE_TTL" in found

    def test_a_missing_admin_token_is_only_noted(self) -> None:
        assert [one[0] for one in bad(check_settings(make_settings(), {}))] == [Verdict.NOTE]

    def test_private_repositories_for_everybody_are_warned_of(self) -> None:
        settings = make_settings(admin_token="a-token-of-24-characters", include_private=True)
        ((verdict, found),) = bad(check_settings(settings, {}))
        assert verdict is Verdict.WARNING
        assert "INCLUDE_PRIVATE=true: private repositories are served to every client" in found

    def test_a_log_of_everything(self) -> None:
        settings = make_settings(admin_token="a-token-of-24-characters", access_log=1)
        assert len(bad(check_settings(settings, {}))) == 1


class TestRedis:
    @pytest.mark.parametrize(
        ("info", "verdict", "said"),
        [
            ({"redis_version": "6.2.1"}, Verdict.PROBLEM, "Redis 6.2.1 responds"),
            ({"rdb_last_bgsave_status": "err"}, Verdict.PROBLEM, "its last snapshot failed"),
            (
                {"aof_last_write_status": "err"},
                Verdict.PROBLEM,
                "its last write to the append-only file failed",
            ),
            ({"role": "slave"}, Verdict.PROBLEM, "it is a replica"),
            (
                {"maxmemory_policy": "allkeys-lru", "maxmemory": 10**9},
                Verdict.PROBLEM,
                "maxmemory-policy is allkeys-lru",
            ),
            ({"maxmemory_policy": "volatile-lru"}, Verdict.WARNING, "maxmemory-policy is volatile"),
            ({"evicted_keys": 3}, Verdict.WARNING, "it has evicted 3 keys"),
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

    def test_that_does_not_allow_config_is_only_noted(self) -> None:
        assert [one[0] for one in bad(check_redis(facts(save=None)))] == [Verdict.NOTE]

    def test_that_does_not_allow_info_is_only_noted(self) -> None:
        ((verdict, found),) = bad(check_redis(RedisFacts({}, None, 0.0005, 0.001)))
        assert verdict is Verdict.NOTE
        assert "INFO is not allowed" in found

    def test_that_is_far_away(self) -> None:
        assert "takes 80 ms" in bad(check_redis(facts(latency=0.08)))[0][1]

    def test_valkey_of_any_version_is_good_enough(self) -> None:
        assert bad(check_redis(facts(redis_version="7.2.4", valkey_version="8.0.0"))) == []


@pytest.mark.parametrize(
    ("offset", "verdict"),
    [(0.5, None), (-4, None), (6, Verdict.WARNING), (-30, Verdict.WARNING), (90, Verdict.PROBLEM)],
)
def test_clocks_that_differ(offset: float, verdict: Verdict | None) -> None:
    found = bad(check_clocks(0.001, offset, {}))
    assert [one[0] for one in found] == ([verdict] if verdict else [])
    if verdict:
        way = "ahead of" if offset > 0 else "behind"
        assert way in found[0][1]


@pytest.mark.parametrize(("skew", "is_named"), [(2.0, False), (2.1, True), (-600, True)])
def test_clocks_of_machines_that_are_far_from_redis_s(skew: float, is_named: bool) -> None:
    found = bad(check_clocks(skew, None, {"b.test:5000": skew}))
    assert [one[0] for one in found] == ([Verdict.WARNING] * 2 if is_named else [])
    if is_named:
        assert found[1][1].startswith("b.test:5000's clock is ")
        assert ("ahead of" if skew > 0 else "behind") in found[1][1]


def test_neighbours_in_the_database() -> None:
    assert bad(check_neighbours(Neighbours())) == []
    (found,) = bad(check_neighbours(Neighbours(["mail"], ["w7"])))
    assert found == (
        Verdict.WARNING,
        "another program uses RQ in this database: 1 queue (mail) and 1 worker (w7)",
    )
    (eaten,) = bad(check_neighbours(Neighbours(jobs=3)))
    assert eaten[0] is Verdict.PROBLEM
    assert "3 jobs in the queue `refresh` are not ours" in eaten[1]


class TestCredentials:
    @pytest.mark.parametrize(
        ("known", "advice"),
        [
            (
                {"scopes": "repo"},
                "make a classic token without any scope, of an account that belongs to no "
                "organisation",
            ),
            (
                {"credential": "app-7"},
                "leave the GitHub App only the permission `Metadata: read`, and none to see "
                "members",
            ),
            (
                {"scopes": None},
                "make a classic token without any scope, of an account that belongs to no "
                'organisation, or a fine-grained token with "Public repositories (read-only)"',
            ),
        ],
    )
    def test_that_see_more_than_the_public(self, known: dict[str, Any], advice: str) -> None:
        budget = make_budget(privileges=["has the scope repo", "may push"], **known)
        found = [one for one in check_credentials([budget], NOW) if one.verdict is not Verdict.OK]
        seen = "it sees more than the public: has the scope repo and may push"
        assert found == [
            Finding("credentials", Verdict.WARNING, f"{budget.credential}: {seen}", advice)
        ]

    def test_that_see_more_have_one_warning_and_none_on_content(self) -> None:
        budgets = [
            make_budget(resource_class=one, privileges=["may push"]) for one in ("core", "search")
        ]
        fleet = make_fleet(budgets=budgets)
        assert len(bad([*check_credentials(budgets, NOW), *check_content(fleet)])) == 1

    def test_that_have_to_see_private_repositories_are_only_noted(self) -> None:
        budget = make_budget(privileges=["sees what is private"])
        found = bad(check_credentials([budget], NOW, include_private=True))
        assert [one[0] for one in found] == [Verdict.NOTE]

    @pytest.mark.parametrize("scopes", [None, "", "read:user, user:email"])
    def test_that_see_only_what_is_public(self, scopes: str | None) -> None:
        assert bad(check_credentials([make_budget(scopes=scopes)], NOW)) == []

    def test_beside_an_anonymous_budget_are_not_reported_as_missing(self) -> None:
        none = make_budget(credential="anonymous", limit=60, remaining=50)
        assert bad(check_credentials([none, make_budget()], NOW)) == []

    def test_whose_anonymous_budget_is_low_say_what_it_is_for(
        self,
    ) -> None:
        none = make_budget(credential="anonymous", limit=60, remaining=3)
        found = [
            one
            for one in check_credentials([none, make_budget()], NOW)
            if one.verdict is not Verdict.OK
        ]
        assert found == [
            Finding(
                "credentials",
                Verdict.WARNING,
                "anonymous: 3 of 60 left; resets in 10 min; it is for requests without a "
                "credential",
                "see docs/scaling.md",
            )
        ]

    @pytest.mark.parametrize(
        ("known", "verdict", "said"),
        [
            ({"aside_until": NOW + 60}, Verdict.PROBLEM, "GitHub rejects it"),
            ({"remaining": 499}, Verdict.WARNING, "left; resets in 10 min"),
            (
                {"credential": "anonymous", "limit": 60, "remaining": 50},
                Verdict.NOTE,
                "60 requests",
            ),
        ],
    )
    def test_that_are_rejected_exhausted_or_missing(
        self, known: dict[str, Any], verdict: Verdict, said: str
    ) -> None:
        ((found, words),) = bad(check_credentials([make_budget(**known)], NOW))
        assert found is verdict
        assert said in words

    @pytest.mark.parametrize(
        ("expires", "verdict", "said"),
        [
            ("2027-02-15 08:00:00 UTC", None, ""),
            ("2027-01-20 08:00:00 UTC", Verdict.WARNING, "it expires in 5 days"),
            ("2027-01-15 10:00:00 +0100", Verdict.WARNING, "it expires in 1 h"),
            ("2027-01-15 07:00:00 UTC", Verdict.PROBLEM, "expired on 2027-01-15 07:00:00 UTC"),
            ("some day", Verdict.NOTE, "it expires on some day"),
        ],
    )
    def test_that_expire(self, expires: str, verdict: Verdict | None, said: str) -> None:
        found = bad(check_credentials([make_budget(expires=expires)], NOW))
        assert [one[0] for one in found] == ([verdict] if verdict else [])
        assert not verdict or found[0][1] == f"abc123: {said}"

    def test_that_have_not_been_used_are_only_noted(self) -> None:
        assert [one[0] for one in bad(check_credentials([], NOW))] == [Verdict.NOTE]


class TestProcesses:
    def test_without_refreshers_there_is_a_problem(self) -> None:
        found = bad(check_processes(make_fleet(workers=[])))
        assert found == [(Verdict.PROBLEM, "none is running: nothing is refreshed")]

    def test_one_refresher_is_noted(self) -> None:
        found = bad(check_processes(make_fleet(workers=[make_worker()])))
        assert [one[0] for one in found] == [Verdict.NOTE]

    def test_a_pause_a_long_queue_and_no_readers_are_warned_of(self) -> None:
        long = {(Lane.ON_DEMAND, Priority.STALE): Queued(500, 60.0)}
        fleet = make_fleet(suspended=True, queue=long, readers=[])
        assert [one[0] for one in bad(check_processes(fleet))] == [Verdict.WARNING] * 2
        holds = holds_for(make_page_input(fleet))
        ((verdict, found),) = bad(check_holds(holds, NOW))
        assert (verdict, "an operator has paused" in found) == (Verdict.WARNING, True)

    def test_a_scheduler_that_has_died_is_warned_of_and_one_that_runs_is_well(self) -> None:
        found = bad(check_processes(make_fleet(scheduler_lost_at=NOW - 600)))
        assert found == [(Verdict.WARNING, "the last one has died 10 min ago")]
        assert bad(check_processes(make_fleet(schedulers=1))) == []

    def test_readers_without_temporary_files_are_warned_of(self) -> None:
        fleet = make_fleet(readers=[make_reader(files={"counts": "No space left on device"})])
        ((verdict, found),) = bad([*check_processes(fleet), *check_content(fleet)])
        assert verdict is Verdict.WARNING
        assert found == (
            "box:5000 cannot write temporary files for counts (No space left on device)"
        )

    def test_a_deployment_under_way_is_noted(self) -> None:
        fleet = make_fleet(readers=[make_reader(), make_reader(pid=12, version="1.1")])
        ((verdict, found),) = bad([*check_processes(fleet), *check_content(fleet)])
        assert (verdict, found) == (Verdict.NOTE, "they run versions 1.0 and 1.1")


def test_failing_content_is_reported_with_its_reason() -> None:
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


def test_unknown_keys_of_githubs_are_noted() -> None:
    unknown = tuple(f"repos/get key_{number}" for number in range(5))
    fleet = make_fleet(origin=OriginView(NOW - 3, 200), unknown_fields=unknown)
    assert bad(check_github(fleet)) == [
        (
            Verdict.NOTE,
            "it sends 5 keys that this release does not know and therefore drops: "
            "repos/get key_0, repos/get key_1, repos/get key_2 and 2 more",
        )
    ]


# 30 requests: the repository is checked for its issues.
_VIEWS = [
    TrackedView(resource, NOW, make_metadata(), pages=pages)
    for resource, pages in zip(
        Catalogue(("Netflix",), track=("/repos/a/b", "/repos/a/b/issues")).tracked,
        (None, 1, 1, 6, 1, 19),
        strict=True,
    )
]


class TestTheCostOfWhatIsTracked:
    @pytest.mark.parametrize(
        ("ttl", "points", "found"),
        [
            (10, 400, []),
            (8.9, 400, ["what is tracked needs about 12\u202f135 requests an hour, of "
                        "24\u202f000 that ORIGIN_POINTS_PER_MINUTE allows"]),
            (1000, 2, ["what is tracked needs about 108 requests an hour, of 120 that "
                       "ORIGIN_POINTS_PER_MINUTE allows"]),
        ],
    )  # fmt: skip
    def test_is_compared_with_the_minute(self, ttl: float, points: int, found: list[str]) -> None:
        settings = make_settings(cache_ttl=ttl, origin_points_per_minute=points)
        checked = check_cost(make_fleet(*_VIEWS), settings)
        assert bad(checked) == [(Verdict.WARNING, one) for one in found]

    def test_is_compared_with_the_hour_if_there_is_no_credential(self) -> None:
        alone = [make_budget(credential="anonymous", limit=60)]
        both = [*alone, make_budget()]
        ((verdict, found),) = bad(check_cost(make_fleet(*_VIEWS, budgets=alone), SETTINGS))
        assert verdict is Verdict.WARNING
        assert found.endswith("108 requests an hour, of 60 that GitHub allows without a credential")
        assert bad(check_cost(make_fleet(*_VIEWS, budgets=both), SETTINGS)) == []

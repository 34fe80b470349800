"""Each checker finds a violation that was made by hand, and none beside it."""

from dataclasses import replace

from tests.chaos import checkers
from tests.chaos.history import (
    REPOS,
    Answer,
    Facts,
    Fetch,
    History,
    Inflicted,
    Item,
    Miss,
    Published,
    Recovery,
    Sample,
    Stored,
    Times,
)
from tests.chaos.schedule import Fault

TAG = f'"{"a" * 32}"'
PAGE = f"{REPOS}?per_page=1&page=2"
ITEMS = (Item("d1", "Netflix/a", 5, 1), Item("d2", "Netflix/b", 7, 1))


def make_response(at: float, *, etag: str = TAG, status: int | None = 200, pid: int = 7) -> Answer:
    return Answer(0, pid, REPOS, at, at + 0.1, status, etag, digest=etag)


def inflicted(subject: str, began: float, healed: float) -> Inflicted:
    return Inflicted(Fault("any", subject, 0, 1), began, healed)


def generations(*numbers: int) -> dict[tuple[str, str], Facts]:
    return {(REPOS, f'"{n}"'): Facts(str(n), {"first": n}) for n in numbers}


def test_a_503_for_what_the_process_held_is_found_whatever_goes_on() -> None:
    away = [inflicted("redis", 0, 10)]
    history = History([make_response(1), make_response(2, status=503)], inflicted=away)

    assert len(checkers.no_5xx_for_content_once_held(history)) == 1


def test_a_503_of_a_new_process_is_allowed_only_while_its_redis_is_away_or_empty() -> None:
    history = History([make_response(2, status=503)])
    assert len(checkers.no_5xx_for_content_once_held(history)) == 1
    history.inflicted = [inflicted("reader-1 link", 0, 10), inflicted("github", 0, 10)]
    assert len(checkers.no_5xx_for_content_once_held(history)) == 1

    history.inflicted = [inflicted("reader-0 link", 0, 1)]
    history.recoveries = [Recovery(1, 3)]
    assert checkers.no_5xx_for_content_once_held(history) == []
    history.recoveries = [Recovery(1, 1.5)]
    assert len(checkers.no_5xx_for_content_once_held(history)) == 1


def test_a_redis_that_only_refuses_writes_has_what_a_new_process_needs() -> None:
    history = History([make_response(2, status=503)])
    for kind in ("redis out of memory", "read-only redis"):
        history.inflicted = [Inflicted(Fault(kind, "redis", 0, 1), 0, 10)]
        assert len(checkers.no_5xx_for_content_once_held(history)) == 1


def test_a_500_is_never_allowed() -> None:
    away = [inflicted("redis", 0, 10)]
    history = History([make_response(2, status=500)], inflicted=away)

    assert len(checkers.no_5xx_for_content_once_held(history)) == 1


def test_two_bodies_under_one_tag_are_found() -> None:
    first = make_response(1)
    assert checkers.one_version_in_a_response(History([first, make_response(2)])) == []

    history = History([first, replace(make_response(2), digest="another")])
    assert len(checkers.one_version_in_a_response(history)) == 1


def test_encodings_of_one_version_that_differ_are_found() -> None:
    facts = {(REPOS, TAG): Facts("one"), (REPOS, TAG[:-1] + '-br"'): Facts("another")}

    assert len(checkers.one_version_in_a_response(History(facts=facts))) == 1


def test_a_page_of_another_version_than_its_tag_says_is_found() -> None:
    tag = TAG[:-1] + '-page-2-of-1"'
    whole = Facts("one", items=ITEMS)
    facts = {(REPOS, TAG): whole, (PAGE, tag): Facts("page", items=ITEMS[1:])}
    assert checkers.one_version_in_a_response(History(facts=facts)) == []

    facts[PAGE, tag] = Facts("page", items=ITEMS[:1])
    assert len(checkers.one_version_in_a_response(History(facts=facts))) == 1


def test_a_view_of_another_version_than_its_tag_says_is_found() -> None:
    path, tag = "/view/top/1/stars", TAG[:-1] + '-top-1-stars"'
    whole = Facts("one", items=ITEMS)
    facts = {(REPOS, TAG): whole, (path, tag): Facts("view", view=(("Netflix/b", 7),))}
    assert checkers.one_version_in_a_response(History(facts=facts)) == []

    facts[path, tag] = Facts("view", view=(("Netflix/b", 8),))
    assert len(checkers.one_version_in_a_response(History(facts=facts))) == 1


def test_an_older_version_after_a_newer_one_of_the_same_process_is_found() -> None:
    facts = generations(1, 2)
    newer, older = make_response(1, etag='"2"'), make_response(2, etag='"1"')

    assert checkers.versions_never_go_back(History([newer, older], facts)) == [
        "2.00 reader-0/7 /orgs/Netflix/repos: first 1 after 2"
    ]
    assert checkers.versions_never_go_back(History([newer, replace(older, pid=8)], facts)) == []
    overlapping = replace(older, began=1.05)
    assert checkers.versions_never_go_back(History([newer, overlapping], facts)) == []
    revalidated = replace(older, status=304)
    assert len(checkers.versions_never_go_back(History([newer, revalidated], facts))) == 1


def test_two_fetches_at_once_that_were_both_stored_are_found() -> None:
    reports = [Stored(REPOS, 0, 2, "one"), Stored(REPOS, 1, 3, "two")]
    together = [Fetch(REPOS, 0.1, 1.9, 1), Fetch(REPOS, 1.1, 2.9, 2)]
    in_turn = [Fetch(REPOS, 0.1, 0.9, 1), Fetch(REPOS, 2.1, 2.9, 2)]

    found = checkers.one_fetch_at_a_time(History(stored=reports, fetches=together))
    assert found == ["/orgs/Netflix/repos: jobs one and two at 0.00"]
    assert checkers.one_fetch_at_a_time(History(stored=reports, fetches=in_turn)) == []
    assert checkers.one_fetch_at_a_time(History(stored=reports[:1], fetches=together)) == []


def test_a_connection_that_a_later_refresh_uses_is_another_fetch() -> None:
    reports = [Stored(REPOS, 0, 1, "one"), Stored(REPOS, 1.1, 2, "two"), Stored(REPOS, 0, 3, "old")]
    kept = [Fetch(REPOS, 0.1, 0.9, 1), Fetch(REPOS, 1.2, 1.9, 1)]
    assert checkers.one_fetch_at_a_time(History(stored=reports[:2], fetches=kept)) == []
    # Two pages by a refresher that was stopped in between.
    stopped = [Fetch(REPOS, 0.1, 0.2, 2), Fetch(REPOS, 2.8, 2.9, 2)]
    found = checkers.one_fetch_at_a_time(History(stored=reports[1:], fetches=kept[1:] + stopped))
    assert found == ["/orgs/Netflix/repos: jobs old and two at 0.00"]


def test_a_reader_that_stays_behind_is_found() -> None:
    history = History(
        [
            make_response(1, etag='"1"'),
            make_response(20, etag='"1"'),
            make_response(21, etag='"2"'),
        ],
        generations(1, 2),
        published=[Published("first", 1, 0), Published("first", 2, 5), Published("first", 3, 11)],
        recoveries=[Recovery(10, 30)],
    )

    assert checkers.freshness_recovers(history, bound=11) == []
    assert len(checkers.freshness_recovers(history, bound=10)) == 1
    history.answers.pop()
    assert len(checkers.freshness_recovers(history, bound=11)) == 1


def test_what_a_look_at_all_keys_has_to_find_may_take_longer() -> None:
    history = History(
        [make_response(1, etag='"1"'), make_response(70, etag='"2"')],
        generations(1, 2),
        published=[Published("first", 1, 0), Published("first", 2, 5)],
        recoveries=[Recovery(0.5, 80, more=60)],
    )
    history.answers.insert(1, make_response(50, etag='"1"'))
    history.published[1] = Published("first", 2, 0.4)
    assert checkers.freshness_recovers(history, bound=11) == []
    history.recoveries = [Recovery(0.5, 80)]
    assert len(checkers.freshness_recovers(history, bound=11)) == 1


def test_a_response_with_a_wrong_time_is_found() -> None:
    at = 1_000_000.0
    began = [Published("first", 0, at - 100)]

    def wrong(times: Times, status: int = 200) -> list[str]:
        answer = replace(make_response(at, status=status), times=times)
        return checkers.times_are_true(History([answer], published=began))

    assert wrong(Times(at, at - 5, "3")) == []
    assert wrong(Times(at, None, "0")) == []
    for times in (
        *(Times(at - 3600, None, "0"), Times(at + 3600, None, "0"), Times(None, None, "0")),
        *(Times(at, at + 3600, "0"), Times(at, at - 5, "3600"), Times(at, at - 5, "-1")),
        Times(at, at - 5, ""),
    ):
        assert len(wrong(times)) == 1
    assert wrong(Times(None, None, ""), status=503) == []


def test_a_status_page_that_is_not_shown_is_found() -> None:
    looks = [make_response(1), make_response(2, status=500)]
    assert len(checkers.operators_see_all(History(looks=looks))) == 1
    unanswered = History(looks=[make_response(1, status=None)])
    assert checkers.operators_see_all(unanswered) == []
    assert len(checkers.answers_come(unanswered, slowness=1)) == 1


def test_a_clock_that_jumps_excuses_no_request_without_an_answer() -> None:
    jump = Inflicted(Fault("clock jumps ahead", "reader-0", 0, 1), 0, 9)
    history = History([make_response(2, status=None)], inflicted=[jump])
    assert len(checkers.answers_come(history, slowness=1)) == 1


def test_a_request_without_an_answer_is_found_unless_its_reader_was_killed() -> None:
    history = History([make_response(2, status=None)], inflicted=[inflicted("reader-1", 0, 9)])
    assert len(checkers.answers_come(history, slowness=1)) == 1

    history.inflicted = [inflicted("reader-0", 1, 3)]
    assert checkers.answers_come(history, slowness=1) == []


def make_miss(at: float, *, visitor: int = 1, status: int | None = 404, retry: str = "") -> Miss:
    return Miss(visitor, 0, "/users/x", at, at + 0.1, status, retry)


def test_a_refusal_that_does_not_say_when_to_come_again_is_found() -> None:
    fine = [make_miss(1), make_miss(2, status=503, retry="1"), make_miss(3, status=429, retry="9")]
    assert checkers.misses_are_served_or_put_off(History(misses=fine)) == []
    for wrong in (make_miss(4, status=503), make_miss(4, status=500, retry="1")):
        assert len(checkers.misses_are_served_or_put_off(History(misses=[*fine, wrong]))) == 1


def test_a_visitor_without_a_response_is_found_unless_its_reader_was_killed() -> None:
    history = History(misses=[make_miss(2, status=None)])
    assert len(checkers.answers_come(history, slowness=1)) == 1
    history.inflicted = [inflicted("reader-0", 1, 3)]
    assert checkers.answers_come(history, slowness=1) == []


def test_a_visitor_that_is_not_served_after_a_healing_is_found() -> None:
    history = History(
        misses=[make_miss(9), make_miss(12, status=503, retry="1"), make_miss(20)],
        recoveries=[Recovery(10, 21)],
    )
    assert checkers.everyone_gets_a_turn(history, bound=11) == []
    assert len(checkers.everyone_gets_a_turn(history, bound=10)) == 1
    history.misses.pop()
    assert checkers.everyone_gets_a_turn(history, bound=11) == [
        "visitor 1: served never, healed at 10.00"
    ]


def test_a_visitor_that_is_served_much_less_than_the_others_is_found() -> None:
    many = [make_miss(n, visitor=visitor) for n in range(20) for visitor in (1, 2, 3)]
    assert checkers.everyone_gets_a_turn(History(misses=many), bound=9) == []
    few = [make_miss(n, visitor=4) for n in range(7)]
    assert len(checkers.everyone_gets_a_turn(History(misses=many + few), bound=9)) == 1


def test_what_is_left_of_jobs_is_found() -> None:
    assert checkers.nothing_is_left(History()) == []
    assert checkers.nothing_is_left(History(left=["rq:job:x"])) == ["rq:job:x"]


def test_a_process_that_grows_is_found() -> None:
    steady = [Sample(10 * n, "reader", 100_000_000, 30, 20) for n in range(12)]
    assert checkers.nothing_leaks(History(samples=steady)) == []
    for name, more in (("rss", 10_000_000), ("files", 3), ("threads", 4)):
        grown = [replace(s, **{name: getattr(s, name) + more * n}) for n, s in enumerate(steady)]
        assert len(checkers.nothing_leaks(History(samples=grown))) == 1


def test_keys_that_grow_in_number_are_found() -> None:
    assert checkers.nothing_leaks(History(keys=[(0, {"ours:entry": 9})])) == []
    assert len(checkers.nothing_leaks(History(keys=[(0, {"ours:entry": 900})]))) == 1
    names = [replace(make_miss(0), path=f"/users/{n}") for n in range(900)]
    assert checkers.nothing_leaks(History(keys=[(0, {"ours:entry": 900})], misses=names)) == []
    assert len(checkers.nothing_leaks(History(keys=[(0, {"ours:places": 90})], misses=names))) == 1
